<?php

namespace App\Http;

use App\Http\Middleware\PlantTrackers;
use App\Http\Middleware\ReadSession;
use Illuminate\Auth\Middleware\Authenticate;
use Illuminate\Cookie\Middleware\AddQueuedCookiesToResponse;
use Illuminate\Cookie\Middleware\EncryptCookies;
use Illuminate\Foundation\Http\Kernel as HttpKernel;
use Illuminate\Foundation\Http\Middleware\VerifyCsrfToken;
use Illuminate\Http\Middleware\TrustProxies;
use Illuminate\Session\Middleware\StartSession;
use Illuminate\View\Middleware\ShareErrorsFromSession;

class Kernel extends HttpKernel
{
    protected $middleware = [TrustProxies::class];

    protected $middlewareGroups = [
        // Laravel's stack for pages. Single-page applications under Sanctum use it for their API too.
        'web' => [
            EncryptCookies::class,
            PlantTrackers::class,
            AddQueuedCookiesToResponse::class,
            StartSession::class,
            ShareErrorsFromSession::class,
            VerifyCsrfToken::class,
        ],
        // Knows who is logged in and sets no cookie: what keeps the session alive here is the gateway.
        'reading' => [
            EncryptCookies::class,
            ReadSession::class,
        ],
    ];

    protected $routeMiddleware = ['auth' => Authenticate::class];
}
