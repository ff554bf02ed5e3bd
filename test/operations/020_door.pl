# zcsync-door behind nginx with TLS, in the configuration that doc/webhooks.md
# shows: what a vendor sends over https arrives once, also while the database is
# down for a moment, and a sender cannot lie about where they come from.

use strict;
use warnings;
use File::Basename qw(dirname);
use HTTP::Tiny;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use lib dirname(__FILE__) . '/../perl';
use Door;
use Nginx;
use Webhooks;
use ZcsyncTest;

my $limit = $PostgreSQL::Test::Utils::timeout_default;
my $directory = PostgreSQL::Test::Utils::tempdir;

Door::build();
my $node = new_node('main', conf => "zcsync.databases = ''\nzcsync.allowed_hosts = 'acme.zendesk.com, acme.halopsa.com'\n");
$node->start;
setup_zcsync($node);

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]") }

my $path = Door::open_webhook($node);
mkdir "$directory/spool", 0700 or die "spool: $!";
my $door = Door->start($node, spool => "$directory/spool");

my $nginx = Nginx->start($directory, $door->port);

sub client { return HTTP::Tiny->new(timeout => 30, verify_SSL => 1, SSL_options => { SSL_ca_file => $nginx->ca }) }
my $http = client();
sub post { my ($headers, $body) = @_; return $http->post($nginx->url . "/$path", { headers => $headers, content => $body })->{status} }

my $deadline = time + $limit;
my $status;
sleep 0.2 while ($status = post(Webhooks::zendesk('acme-secret', 1, id => 'first'))) != 200 && time < $deadline;
is($status, 200, 'a delivery over https') or diag($nginx->log);
is(value('SELECT count(*) FROM zcsync.inbox'), 1, 'is in the inbox');
my ($headers, $body) = Webhooks::zendesk('wrong', 1);
is(post({ %$headers, 'X-Real-IP' => '203.0.113.9' }, $body), 403, 'a forged one is refused');
is(value('SELECT source FROM zcsync.refused_deliveries'), '127.0.0.1', 'under the address that nginx saw');
is(post({}, 'x' x 300_000), 413, 'a large one, too');

# Many at once, by clients that keep their connections.
my $began = time;
my @children;
for my $child (1 .. 4)
{
	my $pid = fork // die "fork: $!";
	if (!$pid)
	{
		$http = client();
		my $bad = grep { post(Webhooks::zendesk('acme-secret', 1000 + $_, id => "burst-$child-$_")) != 200 } 1 .. 250;
		POSIX::_exit($bad ? 1 : 0);
	}
	push @children, $pid;
}
my $failed = grep { waitpid($_, 0); $? } @children;
is($failed, 0, 'a thousand over https');
note(sprintf '%.0f a second', 1000 / (time - $began));
is(value('SELECT count(*) FROM zcsync.inbox'), 1001, 'each is there once');

# The database goes and comes.
$node->stop('fast');
is(post(Webhooks::zendesk('acme-secret', 2)), 200, 'taken while the database is down');
$node->start;
$door->wait_for(qr/the spool is empty again/, 'and given to it when it is back');
is(value('SELECT count(*) FROM zcsync.inbox WHERE remote_id = $$2$$'), 1, 'it is there');
unlike($nginx->log, qr/acme-secret|zen:event/, 'no secret in the log of nginx');

is($door->stop, 0, 'the door ends well');
$node->stop;
done_testing();
