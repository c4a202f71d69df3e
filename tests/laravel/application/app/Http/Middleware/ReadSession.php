<?php

namespace App\Http\Middleware;

use Closure;
use Illuminate\Http\Request;
use Illuminate\Session\SessionManager;
use Symfony\Component\HttpFoundation\Response;

/** Loads the session that the browser names. Writes nothing back, neither to the store nor as a cookie. */
class ReadSession
{
    public function __construct(private SessionManager $sessions)
    {
    }

    public function handle(Request $request, Closure $next): Response
    {
        $session = $this->sessions->driver();
        $session->setId($request->cookies->get($session->getName()));
        $session->start();
        $request->setLaravelSession($session);

        return $next($request);
    }
}
