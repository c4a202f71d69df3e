// Minifies the guard's scripts: node minify.js [--check]
//
// Reads guard.js and worker.js of crates/pages/src/guard, and writes guard.min.js and worker.min.js beside them. With --check it
// writes nothing, prints the names of the files that would change, and exits with 1 if there is one.

import { readFileSync, writeFileSync } from 'node:fs';

import { minify } from 'terser';

const folder = new URL('../../crates/pages/src/guard/', import.meta.url);
const OPTIONS = {
    ecma: 2020,
    // Each file is one expression.
    compress: { expression: true, passes: 3 },
    format: { ascii_only: true, inline_script: true },
};

const read = (name) => readFileSync(new URL(name, folder), 'utf8');
const isCheck = process.argv.includes('--check');
for (const name of ['guard', 'worker']) {
    const { code } = await minify(read(`${name}.js`), OPTIONS);
    // A call follows the function.
    const text = `${code.replace(/;$/, '')}\n`;
    const file = `${name}.min.js`;
    if (!isCheck) {
        writeFileSync(new URL(file, folder), text);
    } else if (read(file) !== text) {
        console.log(file);
        process.exitCode = 1;
    }
}
