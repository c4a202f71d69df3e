<?php

/**
 * The application, put together from Debian's Laravel packages.
 *
 * All that it writes goes below STORAGE_PATH, so that the sources can be read-only, and shared by tests that run
 * side by side.
 */

require_once 'Illuminate/autoload.php';

spl_autoload_register(function (string $class): void {
    if (str_starts_with($class, 'App\\')) {
        require dirname(__DIR__).'/app/'.strtr(substr($class, 4), '\\', '/').'.php';
    }
});

$app = new Illuminate\Foundation\Application(dirname(__DIR__));
$app->useStoragePath(getenv('STORAGE_PATH'));
$app->singleton(Illuminate\Contracts\Http\Kernel::class, App\Http\Kernel::class);
$app->singleton(
    Illuminate\Contracts\Debug\ExceptionHandler::class,
    Illuminate\Foundation\Exceptions\Handler::class,
);

return $app;
