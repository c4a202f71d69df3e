# An application for scripts/package-test: sets a declared cookie and an undeclared one, and prints those it received.
# /slow makes a file when it is requested, and answers when another file exists.
use strict;
use warnings;
use IO::Socket::INET;

$SIG{CHLD} = 'IGNORE';
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 8000, Listen => 128, ReuseAddr => 1)
    or die "can't listen: $!";
while (1) {
    my $client = $listener->accept or next;
    next if fork;
    my ($target, $cookies) = ('', '');
    while (my $line = <$client>) {
        $target = $1 if $line =~ /^GET (\S+)/;
        $cookies = $1 if $line =~ /^cookie: (.*?)\r/i;
        last if $line eq "\r\n";
    }
    if ($target eq '/slow') {
        open my $asked, '>', '/run/asked' or die "can't say that it was asked: $!";
        select undef, undef, undef, 0.05 until -e '/run/answer';
    }
    my $body = "came: $cookies\n";
    print $client "HTTP/1.1 200 OK\r\nset-cookie: flexopus_session=a\r\nset-cookie: _ga=b\r\n",
        'content-length: ', length $body, "\r\nconnection: close\r\n\r\n$body";
    exit;
}
