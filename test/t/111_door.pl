# zcsync-door: what vendors send to it reaches the database once, or is answered
# so that they send it again; while the database is down it waits in the spool.

use strict;
use warnings;
use Door;
use HTTP::Tiny;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Webhooks;
use ZcsyncTest;

Door::build();
my $node = new_node('main', conf => "log_statement = none\nzcsync.databases = ''\nzcsync.allowed_hosts = 'acme.zendesk.com, acme.halopsa.com'\n");
$node->start;
setup_zcsync($node);
my $spool = PostgreSQL::Test::Utils::tempdir;

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]") }

value(<<'SQL');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}', '{"email": "a@example.com", "api_token": "x"}');
SELECT zcsync.add_account('psa', 'halopsa', '{"host": "acme.halopsa.com"}', '{"client_id": "x", "client_secret": "y"}');
SELECT FROM zcsync.add_stream('acme', 'tickets');
CREATE ROLE zcsync_door LOGIN;
GRANT USAGE ON SCHEMA zcsync TO zcsync_door;
GRANT EXECUTE ON FUNCTION zcsync.receive_webhook TO zcsync_door;
SQL
my $path = value(q{SELECT zcsync.set_webhook('acme', 'acme-secret')});
my $halo = value(q{SELECT zcsync.set_webhook('psa', 'halo-secret')});
my $inbox = q{SELECT count(*) FROM zcsync.inbox};
my $door = Door->start($node, spool => $spool, spool_max => 1);
my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
sleep 0.05 while time < $deadline && value(q{SELECT count(*) FROM pg_stat_activity WHERE usename = 'zcsync_door'}) eq '0';

sub ticket { my ($id, %options) = @_; return $door->post($path, Webhooks::zendesk($options{secret} // 'acme-secret', $id, %options)) }
sub raw
{
	my ($text, $seconds) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $door->port, Timeout => 10) or die "connect: $!";
	my ($answer, $began) = ('', time);
	local $SIG{PIPE} = 'IGNORE';

	print $socket $text;
	$socket->flush;
	local $SIG{ALRM} = sub { die "no end\n" };
	alarm($seconds // 60);
	eval { while (sysread $socket, my $part, 4096) { $answer .= $part } };
	alarm(0);
	return ($answer, time - $began);
}

# ---------------------------------------------------------------------
# The database is up
# ---------------------------------------------------------------------
wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM zcsync.doors WHERE door = 'test-door' AND spooled_since IS NULL AND spooled_bytes = 0},
	'the door says that it is there, and that nothing waits');
is(ticket(1), 200, 'a delivery is taken');
is(value($inbox), 1, 'and is in the inbox before it is answered');
is(ticket(2, id => 'same'), 200, 'another one');
is(ticket(2, id => 'same'), 200, 'twice');
is(value($inbox), 2, 'and known the second time');
is(ticket(3, secret => 'wrong'), 403, 'forged: 403');
is($door->post('0123456789abcdef0123456789abcdef', Webhooks::zendesk('acme-secret', 1)), 403, 'a path of nobody: 403');
is($door->post("$halo/halo-secret", {}, '{"id": "h1", "object_id": 18}'), 200, 'a secret in the path');
is($door->post("$halo/wrong", {}, '{}'), 403, 'a wrong one');
is($door->post($halo, { Authorization => 'Bearer halo-secret' }, '{"id": "h2", "object_id": 18}'), 200, 'a bearer token');
is(value(q{SELECT string_agg(source, ' ' ORDER BY account_id) FROM zcsync.refused_deliveries}), '127.0.0.1 127.0.0.1 127.0.0.1', 'a row for each account');
is($door->post($path, { 'X-Real-IP' => '203.0.113.9' }, '{}'), 403, 'from behind a proxy');
is(value(q{SELECT count(*) FROM zcsync.refused_deliveries WHERE source = '203.0.113.9'}), 1, 'the proxy says where it came from');
is($door->post($_, {}, '{}'), 403, "path $_") for 'a%00b', "x" x 400, 'a/../b?c=d';
is(HTTP::Tiny->new->get('http://127.0.0.1:' . $door->port . "/$path")->{status}, 405, 'GET: 405');
is($door->post($path, Webhooks::halopsa('x', 1)), 403, 'headers of another vendor');

# Sizes and times.
my $large = '{"ticket_id": 5, "text": "' . 'x' x (256 * 1024 - 40) . '"}';
is($door->post("$halo/halo-secret", {}, $large), 200, 'almost 256 kB');
like((raw("POST /$path HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" . 'x' x 300000))[0], qr{^HTTP/1.1 413|^$}, 'more: 413, or the connection ends');
like((raw("POST /$path HTTP/1.1\r\nHost: x\r\nX-Long: " . 'x' x 20000 . "\r\nContent-Length: 2\r\n\r\n{}"))[0], qr{^HTTP/1.1 4\d\d|^$}, 'headers that are too long');
unlike((raw("BREW / HTTP/1.1\r\nHost: x\r\n\r\n"))[0], qr{ 200 }, 'another method');
my ($answer, $seconds) = raw("POST /$path HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
unlike($answer, qr{ 200 }, 'a body that does not come');
cmp_ok($seconds, '<', 30, 'is not waited for long');
is(ticket(6), 200, 'others are served all the same');
{
	# gone before it is answered
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $door->port) or die "connect: $!";
	my ($headers, $body) = Webhooks::zendesk('acme-secret', 7);
	print $socket join "\r\n", "POST /$path HTTP/1.1", 'Host: x', 'Content-Length: ' . length $body, (map { "$_: $headers->{$_}" } keys %$headers), '', $body;
	close $socket;
	is(ticket(8), 200, 'a client that goes away does no harm');
}

# ---------------------------------------------------------------------
# Many at once
# ---------------------------------------------------------------------
my $before = value($inbox);
my $began = time;
my @children;
for my $child (1 .. 4)
{
	my $pid = fork // die "fork: $!";
	if (!$pid)
	{
		my $http = HTTP::Tiny->new(timeout => 30);
		my $bad = 0;
		for my $n (1 .. 250)
		{
			my ($headers, $body) = Webhooks::zendesk('acme-secret', 1000 + $n, id => "burst-$child-$n");
			$bad++ if $http->post('http://127.0.0.1:' . $door->port . "/$path", { headers => $headers, content => $body })->{status} != 200;
		}
		require POSIX;
		POSIX::_exit($bad ? 1 : 0);
	}
	push @children, $pid;
}
my $failed = grep { waitpid($_, 0); $? } @children;
my $rate = 1000 / (time - $began);
is($failed, 0, 'a thousand deliveries by four clients');
is(value($inbox) - $before, 1000, 'each once');
note(sprintf '%.0f a second', $rate);
cmp_ok($rate, '>', 5, 'and none waits for a second');

# ---------------------------------------------------------------------
# The database is down
# ---------------------------------------------------------------------
$before = value($inbox);
$node->stop('fast');
is(ticket(20), 200, 'down: kept, 200');
is(ticket(21, secret => 'wrong'), 200, 'a forged one as well: nobody can say so now');
is(ticket(22, id => 'spooled'), 200, 'one');
is(ticket(22, id => 'spooled'), 200, 'and again');
is($door->post('0123456789abcdef0123456789abcdef', {}, '{}'), 503, 'but not what comes to a path that was never right');
cmp_ok(-s "$spool/deliveries", '>', 1000, 'the spool has them');
is((stat "$spool/deliveries")[2] & 07777, 0600, 'for the user of the door only');
my @statuses = map { $door->post($path, {}, 'x' x 250_000) } 1 .. 5;
is("@statuses", '200 200 200 200 503', 'full: 503');
$door->stop('KILL');
open my $spoiled, '>>', "$spool/deliveries" or die "spool: $!";
print $spoiled 'a record that was cut off';
close $spoiled;
$door = Door->start($node, spool => $spool, spool_max => 1);
$door->wait_for(qr/25 bytes of the spool are no whole deliveries/, 'what was cut off is put aside');
is(ticket(23), 200, 'a door that was killed goes on');
my $up_at = time;
$node->start;
$door->wait_for(qr/the spool is empty again/, 'the database is back and gets all');
is(value($inbox) - $before, 3, 'what was kept is in the inbox, once');
is(value("SELECT max(received_at) < to_timestamp($up_at) FROM zcsync.inbox"), 't', 'with the time at which it came');
is(value(q{SELECT sum(count) >= 5 FROM zcsync.refused_deliveries WHERE last_at > now() - interval '1 hour'}), 't', 'what was forged is a row');
is(-s "$spool/deliveries", 0, 'the spool is empty');
is(ticket(24), 200, 'and it goes on as before');

wait_until($node, 'postgres', q{SELECT spooled_since IS NULL AND spooled_bytes = 0 FROM zcsync.doors}, 'the door says so');

# What the database cannot take now waits in the spool, and the database knows for how
# long.
value(q{CREATE TABLE sealed AS SELECT account_id, name, sealed FROM zcsync.credentials WHERE name LIKE 'webhook/%';
	UPDATE zcsync.credentials SET sealed = substr(sealed, 1, 30) WHERE name LIKE 'webhook/%'});
$node->stop('fast');
my $kept_at = time;
is(ticket(40), 200, 'down again: kept');
$up_at = time;
$node->start;
# it counts whole seconds
wait_until($node, 'postgres', "SELECT spooled_since BETWEEN to_timestamp($kept_at - 2) AND to_timestamp($up_at + 2) AND heard_at > to_timestamp($up_at) AND spooled_bytes > 100 FROM zcsync.doors",
	'the door says since when a delivery waits');
value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'zcsync_door'});
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM zcsync.refused_deliveries WHERE reason LIKE '%cannot be checked%')}, 'it was given to the database');
is(value(q{SELECT spooled_bytes > 100 FROM zcsync.doors}), 't', 'which cannot open the secret, so it waits on');
value(q{UPDATE zcsync.credentials AS c SET sealed = s.sealed FROM sealed AS s WHERE s.account_id = c.account_id AND s.name = c.name});
value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'zcsync_door'});
wait_until($node, 'postgres', q{SELECT spooled_since IS NULL FROM zcsync.doors}, 'with the secret it is taken');
is(value(q{SELECT count(*) FROM zcsync.inbox WHERE remote_id = '40'}), 1, 'once');

# A right that the door lacks for a while, or a deadlock, is no fault of a delivery.
value('REVOKE EXECUTE ON FUNCTION zcsync.receive_webhook FROM zcsync_door');
is(ticket(41), 200, 'a right is missing: kept');
$door->wait_for(qr/it cannot store anything/, 'the database took it not');
value('GRANT EXECUTE ON FUNCTION zcsync.receive_webhook TO zcsync_door');
wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM zcsync.inbox WHERE remote_id = '41'}, 'with the right it is taken');
value(q{CREATE FUNCTION public.unlucky() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END$$;
	CREATE TRIGGER unlucky BEFORE INSERT ON zcsync.inbox FOR EACH ROW EXECUTE FUNCTION public.unlucky()});
is(ticket(42), 200, 'a deadlock: kept');
value('DROP FUNCTION public.unlucky CASCADE');
wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM zcsync.inbox WHERE remote_id = '42'}, 'and taken later');

# What cannot be read in the middle of the spool is put aside, with what is behind it.
$node->stop('fast');
is(ticket($_), 200, 'kept') foreach 43, 44, 45;
my @begins;
my $contents = slurp_file("$spool/deliveries");
push @begins, $-[0] while $contents =~ /1SCZ/g;
is(scalar @begins, 3, 'there are three records');
open my $damaged, '+<', "$spool/deliveries" or die "spool: $!";
seek $damaged, $begins[1] + 20, 0;
print $damaged '#';
close $damaged;
$node->start;
$door->wait_for(qr/deliveries: they are in.*deliveries: they are in/s, 'a record that was damaged is put aside');
wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM zcsync.inbox WHERE remote_id IN ('43', '44', '45')}, 'what is before it is taken');
my ($aside) = sort { -s $b <=> -s $a } glob "$spool/deliveries.bad.*";
is(-s $aside, length($contents) - $begins[1], 'and nothing of it is lost');
is((stat $aside)[2] & 07777, 0600, 'in a file that nobody else reads');

# A database that hangs: kept as well.
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE zcsync.inbox');
is(ticket(25), 200, 'a database that does not answer: kept');
$holder->query_safe('COMMIT');
$holder->quit;
$door->wait_for(qr/the spool is empty again.*the spool is empty again|the spool is empty again/s, 'and given to it later');
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM zcsync.inbox WHERE remote_id = '25')}, 'it is there');

# A server that restarts at once, and connections that are killed.
$node->restart;
is(ticket(26), 200, 'after a restart');
value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'zcsync_door'});
is(ticket(27), 200, 'after its connection was killed');
wait_until($node, 'postgres', q{SELECT count(*) = 2 FROM zcsync.inbox WHERE remote_id IN ('26', '27')}, 'both are there');

# ---------------------------------------------------------------------
# Its end, and what it shows
# ---------------------------------------------------------------------
is($door->stop, 0, 'it ends well');
is($door->post($path, {}, '{}'), 599, 'and takes nothing more');
unlike(join('', map { slurp_file($_) } glob "$PostgreSQL::Test::Utils::tmp_check/door.*.log"), qr/secret|$path|ticket/, 'its log has no secret, path or body');
unlike(slurp_file($node->logfile), qr/acme-secret|halo-secret|zen:event-type/, 'nor has that of the server');
my $without = Door->start($node, database => 'host=/nowhere dbname=postgres user=zcsync_door');
is($without->post($path, {}, '{}'), 503, 'without a spool: 503');
$without->stop;

$node->stop;
done_testing();
