<!DOCTYPE html>
<html lang="en">
<head>
    <meta charset="utf-8">
    <title>Flexopus</title>
    <script>
        // What a tag manager does when nobody looks.
        document.cookie = '_ga=GA1.1.2; Max-Age=63072000; Path=/';
        document.cookie = '_hjSessionUser_1=abc; Max-Age=31536000; Path=/; Secure; SameSite=None';
        document.cookie = 'visited=1';
    </script>
</head>
<body>
@yield('page')
</body>
</html>
