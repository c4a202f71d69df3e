<?php

/** What knows who is logged in and sets no cookie. */

use Illuminate\Http\Request;
use Illuminate\Support\Facades\Route;

// What arrived here, as PHP reads it and as it was sent. Not below `/api/`: looking renews nothing.
Route::get('/whoami', fn (Request $request) => [
    'user' => optional($request->user())->email,
    'cookies' => array_keys($_COOKIE),
    'cookie_field' => $request->header('Cookie'),
    'url' => $request->url(),
    'client' => $request->ip(),
]);

// A health check's.
Route::get('/up', fn () => 'up');

Route::middleware('auth')->group(function (): void {
    Route::get('/api/ping', fn () => ['pong' => true]);

    // Under way from the moment in which `{call}.under-way` appears until somebody makes `{call}.finish`.
    Route::get('/api/slow/{call}', function (string $call) {
        touch(storage_path("calls/$call.under-way"));
        $deadline = microtime(true) + 20;
        while (! file_exists(storage_path("calls/$call.finish"))) {
            abort_if(microtime(true) > $deadline, 503, 'Nobody finished this call.');
            usleep(5_000);
            clearstatcache();
        }

        return ['finished' => $call];
    })->where('call', '[a-z0-9-]+');
});
