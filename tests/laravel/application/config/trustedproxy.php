<?php

/** The gateway, which is on the same machine. */
return ['proxies' => '127.0.0.1'];
