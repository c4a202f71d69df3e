<?php

/** As cheap as bcrypt allows: the one password here guards nothing. */
return ['driver' => 'bcrypt', 'bcrypt' => ['rounds' => 4]];
