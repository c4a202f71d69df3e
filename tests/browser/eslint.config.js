// Lints of every script: eslint --config tests/browser/eslint.config.js crates src tests

import js from '@eslint/js';

const names = (text) => Object.fromEntries(text.split(' ').map((name) => [name, 'readonly']));
const BROWSER = names(
    'AbortSignal CSS Event URL URLSearchParams clearTimeout crypto document fetch getComputedStyle localStorage location navigator '
        + 'self sessionStorage setInterval setTimeout window Worker',
);

export default [
    { ignores: ['**/*.min.js', '**/node_modules/'] },
    js.configs.recommended,
    { languageOptions: { globals: BROWSER } },
    { rules: { 'no-empty': ['error', { allowEmptyCatch: true }], 'no-var': 'error', 'prefer-const': 'error' } },
    {
        files: ['tests/browser/**'],
        languageOptions: { globals: names('Buffer console process performance') },
    },
    {
        files: ['crates/pages/src/guard/*.js'],
        languageOptions: { ecmaVersion: 2021, sourceType: 'script' },
        rules: {
            // Each file is one expression.
            'no-unused-expressions': 'off',
            'no-control-regex': 'off',
            // What scripts of a page may have replaced by then, and what a script element can't contain.
            'no-restricted-syntax': [
                'error',
                { selector: 'ForOfStatement, ArrayPattern, ArrayExpression > SpreadElement, CallExpression > SpreadElement', message: 'Iterates.' },
                { selector: "BinaryExpression[operator=/^</]", message: 'Has a "less than" sign.' },
                { selector: 'CallExpression > MemberExpression[property.name=/^(apply|bind|call|exec|has|push|test|toLowerCase)$/]', message: 'Use apply.' },
            ],
        },
    },
];
