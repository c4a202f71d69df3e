<?php

use App\RouteServiceProvider;
use Illuminate\Auth\AuthServiceProvider;
use Illuminate\Cookie\CookieServiceProvider;
use Illuminate\Database\DatabaseServiceProvider;
use Illuminate\Encryption\EncryptionServiceProvider;
use Illuminate\Filesystem\FilesystemServiceProvider;
use Illuminate\Foundation\Providers\FoundationServiceProvider;
use Illuminate\Hashing\HashServiceProvider;
use Illuminate\Session\SessionServiceProvider;
use Illuminate\Translation\TranslationServiceProvider;
use Illuminate\View\ViewServiceProvider;

return [
    'name' => 'Flexopus',
    'env' => 'production',
    'debug' => false,
    'url' => 'https://acme.flexopus.example',
    'timezone' => 'UTC',
    'locale' => 'en',
    'fallback_locale' => 'en',
    'key' => file_get_contents(storage_path('key')),
    'cipher' => 'AES-256-CBC',
    'providers' => [
        AuthServiceProvider::class,
        CookieServiceProvider::class,
        DatabaseServiceProvider::class,
        EncryptionServiceProvider::class,
        FilesystemServiceProvider::class,
        FoundationServiceProvider::class,
        HashServiceProvider::class,
        SessionServiceProvider::class,
        TranslationServiceProvider::class,
        ViewServiceProvider::class,
        RouteServiceProvider::class,
    ],
];
