<?php

/** What runs on Laravel's whole stack for pages: both of its cookies are set by each of these answers. */

use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Cookie;
use Illuminate\Support\Facades\Route;

Route::view('/login', 'login')->name('login');

Route::post('/login', function (Request $request) {
    if (! Auth::attempt($request->only('email', 'password'), remember: true)) {
        abort(422, 'These credentials are unknown.');
    }
    $request->session()->regenerate();

    return redirect('/map-builder');
});

Route::post('/logout', function (Request $request) {
    Auth::logout();
    $request->session()->invalidate();
    $request->session()->regenerateToken();

    return redirect('/login');
});

// Some applications also take the cookies back, rather than leave a guest's.
Route::post('/logout/forget', function (Request $request) {
    Auth::logout();
    $request->session()->invalidate();
    Cookie::queue(Cookie::forget('XSRF-TOKEN'));
    Cookie::queue(Cookie::forget(config('session.cookie')));

    return redirect('/login');
});

Route::middleware('auth')->group(function (): void {
    Route::view('/map-builder', 'map-builder');
    Route::get('/api/desks', fn () => ['desks' => ['A1', 'A2', 'B1']]);
    Route::post('/api/desks/{desk}/bookings', fn (string $desk) => response()->json(['booked' => $desk], 201));
});
