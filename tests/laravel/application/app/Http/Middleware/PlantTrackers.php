<?php

namespace App\Http\Middleware;

use Closure;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Cookie;
use Symfony\Component\HttpFoundation\Response;

/** Sets cookies that nobody declared, in the ways in which PHP code does. */
class PlantTrackers
{
    public function handle(Request $request, Closure $next): Response
    {
        Cookie::queue('_ga_server', 'GA1.1.1', 2 * 365 * 24 * 60);
        setcookie('_fbp', 'fb.1.1', ['expires' => time() + 90 * 86400, 'path' => '/']);
        setcookie('flexopus.session', 'lookalike', ['path' => '/', 'secure' => true]);

        return $next($request);
    }
}
