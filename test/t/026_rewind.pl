# pg_rewind: a primary is killed, its standby promoted, and the old primary made a
# standby of the new one; then the other way round.  The one has its key file in
# the data directory, and loses it; the other one beside its configuration file,
# as on Debian, and keeps it.  No record is made twice.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use File::Copy qw(copy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--clickup-plan', 'none');
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
my $beside = PostgreSQL::Test::Utils::tempdir();

# Two servers, before there is a key.
my $first = new_node('first', init => [ allows_streaming => 1 ], conf => "log_statement = none\nwal_log_hints = on\nwal_keep_size = 256MB\n");
$first->start;
setup_zcsync($first, 'postgres');
$first->backup('base');
my $second = PostgreSQL::Test::Cluster->new('second');
$second->init_from_backup($first, 'base', has_streaming => 1);
start_with_config($second, $beside);

$first->safe_psql('postgres', sprintf <<'SQL', $simulator->clickup);
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "9001001", "base_url": "%s"}', '{"token": "pk_183_DEV"}');
UPDATE zcsync.account_budgets SET calls = 1000000;
SELECT zcsync.add_stream('dev', 'tasks', pull_interval => '1 s');
SELECT zcsync.alter_stream('dev/tasks', writes => true);
SQL
my $key = $first->data_dir . '/zcsync.key';
ok(-e $key, 'the first server has its key in the data directory');
copy($key, "$beside/zcsync.key") or die $!;
chmod 0600, "$beside/zcsync.key" or die $!;

sub value { my ($node, $sql) = @_; return $node->safe_psql('postgres', $sql); }
sub tasks { my %n; $n{ $_->{name} }++ for @{ $simulator->get('state/tasks', workspace => 'dev', limit => 1000)->{tasks} }; return join ', ', map { "$_ $n{$_}" } sort keys %n; }

# A task that this server makes.
sub make
{
	my ($node, $name) = @_;

	value($node, "INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '$bugs', '$name')");
	wait_until($node, 'postgres', "SELECT count(*) = 1 FROM zcsync.tasks WHERE name = '$name' AND remote_id IS NOT NULL AND sync_state = 'synced'", $node->name . " makes task $name");
}

# The server is gone at once, and so are its processes soon.
sub kill_server
{
	my ($node) = @_;
	my @pids = split /\n/, value($node, q{SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()});

	$node->kill9;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if !grep { kill 0, $_ } @pids;
		sleep 0.1;
	}
	die 'processes of the server that was killed do not end';
}

# Make a server that was killed a standby of the one that took over.  What is in
# its data directory becomes what is in that of the other; the test keeps the
# configuration that names the port.
sub rewind_server
{
	my ($old, $new, @options) = @_;
	my $conf = slurp_file($old->data_dir . '/postgresql.conf');

	value($new, 'CHECKPOINT');
	command_ok([ 'pg_rewind', '--target-pgdata', $old->data_dir, '--source-server', $new->connstr('postgres'), @options ], $old->name . ' is rewound');
	open my $file, '>', $old->data_dir . '/postgresql.conf' or die $!;
	print $file $conf;
	close $file or die $!;
	$old->enable_streaming($new);
	return;
}
my $lacks = q{SELECT coalesce(string_agg(item || ': ' || message || ' / ' || hint, ', '), 'nothing') FROM zcsync.selfcheck() WHERE NOT ok AND item <> 'key place'};
my $place = q{SELECT coalesce(min(message), 'nothing') FROM zcsync.selfcheck() WHERE NOT ok AND item = 'key place'};

# ------------------------------------------------------------ the first one fails

make($first, 'One');
$first->wait_for_catchup($second);
$second->stop;
make($first, 'Lost');		# the standby does not know of it
kill_server($first);
start_with_config($second, $beside);
$second->promote;
wait_until($second, 'postgres', q{SELECT count(*) = 1 FROM zcsync.alerts WHERE code = 'failover'}, 'the second server takes over');
make($second, 'Two');
rewind_server($first, $second);
ok(!-e $key, 'pg_rewind deletes a key in the data directory that the other server does not have there');
$first->start;
$second->wait_for_catchup($first);
is(value($first, 'SELECT pg_is_in_recovery()'), 't', 'the old primary is a standby');
is(value($first, $lacks), qq{key: key file "$key" is missing / Copy the key file of the primary to this place, with owner and mode.}, 'whose selfcheck() says what it lacks');
copy("$beside/zcsync.key", $key) or die $!;
chmod 0600, $key or die $!;
is(value($first, $lacks), 'nothing', 'until it has the key again');
like(value($first, $place), qr/in the data directory: base backups contain it, pg_rewind may delete it/, 'of which selfcheck() says that it may happen again');
wait_until($second, 'postgres', q{SELECT count(*) = 1 FROM zcsync.tasks WHERE name = 'Lost'}, 'what was not replicated is read');
is(tasks(), 'Lost 1, One 1, Two 1', 'each task is there once');

# ------------------------------------------------------------ and the second one

$second->wait_for_catchup($first);
kill_server($second);
$first->promote;
wait_until($first, 'postgres', q{SELECT count(*) = 1 FROM zcsync.alerts WHERE code = 'failover' AND count = 2}, 'the first server takes over again');
make($first, 'Three');
rewind_server($second, $first, '--config-file', "$beside/postgresql.conf");
ok(-e "$beside/zcsync.key", 'a key beside the configuration file stays');
start_with_config($second, $beside);
$first->wait_for_catchup($second);
is(value($second, $lacks) . ' ' . value($second, $place), 'nothing nothing', 'the second server is a standby that lacks nothing');
is(value($second, q{SELECT string_agg(name, ', ' ORDER BY name) FROM zcsync.tasks WHERE sync_state = 'synced'}), 'Lost, One, Three, Two', 'with all tasks');
is(tasks(), 'Lost 1, One 1, Three 1, Two 1', 'each of which is there once');
is(log_lines($_, 'PANIC|terminated by signal'), 0, $_->name . ': no process failed') for $first, $second;

$second->stop;
$first->stop;
done_testing();
