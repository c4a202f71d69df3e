<?php

/** Answers every request: `php -S 127.0.0.1:8000 public/index.php`. */

use Illuminate\Contracts\Http\Kernel;
use Illuminate\Http\Request;

$app = require __DIR__.'/../bootstrap/app.php';
$kernel = $app->make(Kernel::class);

$request = Request::capture();
$response = $kernel->handle($request)->send();
$kernel->terminate($request, $response);
