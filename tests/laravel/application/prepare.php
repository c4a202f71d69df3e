<?php

/** Makes what the application keeps, before its server starts: a key, and a database with one user. */

use Illuminate\Contracts\Http\Kernel;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Encryption\Encrypter;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Hash;
use Illuminate\Support\Facades\Schema;

$app = require __DIR__.'/bootstrap/app.php';
foreach (['calls', 'framework/sessions', 'framework/views', 'logs'] as $folder) {
    mkdir($app->storagePath().'/'.$folder, 0700, true);
}
$key = Encrypter::generateKey('AES-256-CBC');
file_put_contents($app->storagePath().'/key', 'base64:'.base64_encode($key));
touch($app->storagePath().'/database.sqlite');
$app->make(Kernel::class)->bootstrap();

Schema::create('users', function (Blueprint $table): void {
    $table->id();
    $table->string('email')->unique();
    $table->string('password');
    $table->rememberToken();
});
DB::table('users')->insert(['email' => 'ada@acme.example', 'password' => Hash::make('correct horse')]);
