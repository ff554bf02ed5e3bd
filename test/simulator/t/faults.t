# Scripted misbehaviour, as a client sees it on the wire.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Mojo::JSON qw(decode_json);
use Simulator::Process;
use Test::Mojo;
use Test::More;
use Time::HiRes qw(alarm time);

my $simulator = Simulator::Process->start('--tasks', 5, '--clickup-plan', 'none');
my $t = Test::Mojo->new;
my $base = $simulator->clickup . '/api/v2';
my $dev = { Authorization => 'pk_183_DEV' };
my $list = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
my $tasks = sub { return scalar @{ $simulator->get('state/tasks', workspace => 'dev')->{tasks} } };
my $fault = sub ($name, %more) { $simulator->no_faults; $simulator->post('faults', { fault => $name, %more }) };

# Send a request over a plain socket; returns all bytes that come, whether the
# connection was reset, and how long it took.
sub raw ($method, $path, $body = '', $wait = 5)
{
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $simulator->port) or die $!;
	my ($bytes, $from) = ('', time);
	my $reset = 0;

	print $socket "$method /clickup/api/v2/$path HTTP/1.1\r\nHost: x\r\nAuthorization: pk_183_DEV\r\nConnection: close\r\n"
	  . "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
	local $SIG{ALRM} = sub { die "time-out\n" };
	eval {
		alarm $wait;
		while (1)
		{
			my $read = sysread $socket, $bytes, 65536, length $bytes;
			$reset = $!{ECONNRESET} if !defined $read;
			last if !$read;
		}
		alarm 0;
	};
	return ($bytes, $reset ? 1 : 0, time - $from);
}

# whether the write was applied
my $count = $tasks->();
my @create = ('POST', "list/$list/task", '{"name":"x"}');
$fault->('reset_before');
is((raw(@create))[1], 1, 'a reset');
is $tasks->(), $count, 'before the write';
$fault->('reset_after');
is((raw(@create))[1], 1, 'a reset');
is $tasks->(), ++$count, 'after the write';
$fault->('hang', after => 1);
is_deeply [ (raw(@create, 1))[ 0, 1 ] ], [ '', 0 ], 'nothing comes';
is $tasks->(), ++$count, 'but the write was applied';
$fault->('hang', seconds => 0.2);
is_deeply [ (raw(@create))[ 0, 1 ] ], [ '', 1 ], 'a hang that ends in a reset';
is $tasks->(), $count, 'the write was not applied';
$fault->('html_502', after => 1);
like((raw(@create))[0], qr{^HTTP/1.1 502 .*text/html.*Bad Gateway}s, 'a 502 in HTML');
is $tasks->(), ++$count, 'in spite of which it was applied';

# replies
my $get = "$base/list/$list/task";
$fault->('status', status => 418, body => { err => 'teapot' }, headers => { 'X-Odd' => 'yes' });
$t->get_ok($get => $dev)->status_is(418)->json_is({ err => 'teapot' })->header_is('X-Odd', 'yes');
$t->get_ok($get => $dev)->status_is(200, 'once is once');
$fault->('rate_limit', retry_after => 7);
$t->get_ok($get => $dev)->status_is(429)->header_is('Retry-After', 7)->content_type_like(qr{text/plain});
$fault->('unavailable', count => 0, retry_after => 3);
$t->get_ok($get => $dev)->status_is(503)->header_is('Retry-After', 3) for 1 .. 3;
$simulator->no_faults;
$t->get_ok($get => $dev)->status_is(200, 'the storm is over');
$fault->('redirect');
$t->get_ok($get => $dev)->status_is(302)->header_is(Location => 'https://elsewhere.example/collect');
$fault->('truncated_json');
$t->get_ok($get => $dev)->status_is(200);
ok !eval { decode_json($t->tx->res->body) }, 'half a JSON text';
$fault->('broken_json');
$t->get_ok($get => $dev)->status_is(200);
ok !eval { decode_json($t->tx->res->body) }, 'broken JSON';
$fault->('content_type');
$t->get_ok($get => $dev)->status_is(200)->content_type_is('text/html; charset=iso-8859-1')->json_has('/tasks');
$fault->('empty_page');
$t->get_ok($get => $dev)->json_is('/tasks', [])->json_is('/last_page', Mojo::JSON->false);
$fault->('truncated_body');
my ($bytes) = raw('GET', "list/$list/task");
my ($length) = $bytes =~ /Content-Length: (\d+)/;
cmp_ok length($bytes =~ s/.*?\r\n\r\n//sr), '<', $length, 'fewer bytes than announced';
$fault->('header_injection');
($bytes) = raw('GET', "list/$list/task");
like $bytes, qr/\r\nX-Request-Id: abc\r\nSet-Cookie: injected=1\r\nX-Note: a\rX-Evil: b\r\n\r\n/, 'injected headers';
$fault->('oversize', megabytes => 3);
($bytes) = raw('GET', "list/$list/task");
cmp_ok length $bytes, '>', 3 * 1048576, 'an oversize reply';
ok eval { decode_json($bytes =~ s/.*?\r\n\r\n//sr)->{tasks} }, 'in valid JSON';
$fault->('gzip_bomb', megabytes => 20);
($bytes) = raw('GET', "list/$list/task");
like $bytes, qr/Content-Encoding: gzip/, 'gzip';
cmp_ok length $bytes, '<', 100_000, 'a small bomb';
$fault->('drip', bytes => 300, interval_ms => 50);
my (undef, undef, $seconds) = raw('GET', "list/$list");
cmp_ok $seconds, '>', 0.2, 'a dripping reply takes its time';
$fault->('delay', delay_ms => 300);
(undef, undef, $seconds) = raw('GET', "list/$list");
cmp_ok $seconds, '>', 0.29, 'a delay';

# A client that gives up does not undo its write.
$fault->('delay', delay_ms => 400);
$count = $tasks->();
raw(@create, 0.2);
is $tasks->(), $count, 'not yet';
select undef, undef, undef, 0.5;
is $tasks->(), $count + 1, 'applied after the client had left';

# which requests
$fault->('status', status => 500, method => 'POST', path => '/task$', match_body => 'boom', skip => 1);
$t->get_ok($get => $dev)->status_is(200, 'another method');
$t->post_ok($get => $dev => json => { name => 'fine' })->status_is(200, 'another body');
$t->post_ok($get => $dev => json => { name => 'boom' })->status_is(200, 'skipped once');
$t->post_ok($get => $dev => json => { name => 'boom' })->status_is(500, 'then not');
is_deeply $simulator->get('faults')->{faults}[0]{applied}, 1, 'the rule counts';
my @runs;
for (1 .. 2)
{
	$fault->('status', status => 500, probability => 0.3, seed => 5);
	push @runs, join '', map { $t->ua->get("$base/list/$list" => $dev)->res->code == 500 ? 1 : 0 } 1 .. 60;
}
is $runs[0], $runs[1], 'chance repeats with its seed';
my $hits = () = $runs[0] =~ /1/g;
ok $hits > 5 && $hits < 35, "about three in ten ($hits of 60)";
$simulator->no_faults;
ok !eval { $simulator->post('faults', { fault => 'nonsense' }); 1 }, 'an unknown fault is refused';

# TLS
my $dir = tempdir(CLEANUP => 1);
my $tls = Simulator::Process->start('--tls', '--state-dir', $dir);
ok -s $tls->ca, 'a CA';
$t->ua->ca($tls->ca);
$t->get_ok($tls->clickup . '/api/v2/team' => $dev)->status_is(200, 'the CA vouches for it');
my $wrong = Simulator::Process->start('--tls', '--tls-host', 'other.example', '--state-dir', "$dir/wrong");
my $ua = Mojo::UserAgent->new(ca => $wrong->ca);
like $ua->get($wrong->clickup . '/api/v2/team')->error->{message}, qr/verif|match/i, 'a certificate for another host';

done_testing;
