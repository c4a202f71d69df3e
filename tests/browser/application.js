// Serves pages that can carry a banner, and pages that can't, on a port that it prints. Each runs a script of its own.

import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Not yet</title>
<link rel="icon" href="data:,">
<style nonce="1">h1 { color: rgb(1, 2, 3); } p, a, form { display: none !important; }</style>
<script src="/script.js" defer></script>
</head>
<body>
<h1>An application</h1>
</body>
</html>
`;

const html = { 'content-type': 'text/html; charset=utf-8' };
const answers = {
    '/open': [html, page],
    '/compressed': [{ ...html, 'content-encoding': 'gzip' }, gzipSync(page)],
    '/style': [{ ...html, 'content-security-policy': "style-src 'nonce-1'" }, page],
    '/form': [{ ...html, 'content-security-policy': "form-action 'none'" }, page],
    '/utf-16': [{ 'content-type': 'text/html; charset=utf-16le' }, Buffer.from(page.replace('utf-8', 'utf-16'), 'utf16le')],
    '/script.js': [{ 'content-type': 'text/javascript; charset=utf-8' }, "document.title = 'It works';"],
};

const server = createServer((request, response) => {
    const [fields, body] = answers[request.url] ?? [{}, ''];
    response.writeHead(request.url in answers ? 200 : 404, fields);
    response.end(body);
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
