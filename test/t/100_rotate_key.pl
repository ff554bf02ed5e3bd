# rotate_key(): another key for all that is sealed, in one step.  Wherever it is
# killed, one of the two keys opens everything; other databases of the server and
# a standby are told what they need.

use strict;
use warnings;

use Fcntl ':mode';
use File::Copy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $node = new_node('main', conf => "zcsync.databases = ''\nzcsync.key_file = 'zcsync.key'\nlog_statement = none\nzcsync.allowed_hosts = 'api.clickup.com'\nrestart_after_crash = on", init => [ allows_streaming => 1 ]);
$node->start;
my $key_file = $node->data_dir . '/zcsync.key';
my $db = 'sync';

sub value { my ($query, $in) = @_; return $node->safe_psql($in // $db, $query); }
sub fails
{
	my ($query, $pattern, $name) = @_;
	my ($rc, $out, $err) = $node->psql($db, $query);
	return like($err, $pattern, $name);
}

my $opened = q{SELECT count(*) FILTER (WHERE ok) || ' of ' || count(*) FROM zcsync.check_credentials() WHERE form = 'sealed'};
my $sealed_by = 'SELECT string_agg(DISTINCT key_fingerprint, $$ $$) FROM zcsync.credentials WHERE sealed IS NOT NULL';
my $check = q{SELECT ok || ' ' || message || coalesce(' / ' || hint, '') FROM zcsync.selfcheck() WHERE item = 'key'};
my $fingerprint = 'SELECT fingerprint FROM zcsync._key_status()';

for my $name ($db, 'other')
{
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	setup_zcsync($node, $name);
}

# Nothing sealed: nothing to do, and no key is made.
is(value(q{SELECT string_agg(item || ': ' || value, '') FROM zcsync.rotate_key()}), 'sealed: nothing: no credential of this database is sealed', 'nothing is sealed yet');
ok(!-e $key_file, 'and no key file is made for that');

value(q{SELECT zcsync.add_account(n, 'clickup', '{}', format('{"token": "pk_%s"}', n)::jsonb) FROM unnest('{a,b}'::text[]) AS n});
value(q{SELECT zcsync.add_account('c', 'clickup', '{}', '{"token": "pk_c"}')}, 'other');
my $first = value($fingerprint);
my $first_key = slurp_file($key_file);

# ---------------------------------------------------------------------
# One step
# ---------------------------------------------------------------------
my $said = value(q{SELECT string_agg(item || ': ' || value, E'\n') FROM zcsync.rotate_key()});
my $second = value($fingerprint);
isnt($second, $first, 'there is another key');
like($said, qr/^sealed: credentials: 2, under key $second\nkey file: \Q$key_file\E\nformer key: \Q$key_file.$first\E\n(?:to do: .*\n?){3}$/, 'which it says, and where the former one is');
is(value($sealed_by), $second, 'all is sealed under it');
is(value($opened), '2 of 2', 'and opens');
is(slurp_file("$key_file.$first"), $first_key, 'the former key is kept');
is(S_IMODE((stat $_)[2]), 0600, 'only its owner may read ' . ($_ =~ s/.*\///r)) for $key_file, "$key_file.$first";
is_deeply([ sort glob "$key_file*" ], [ $key_file, "$key_file.$first" ], 'nothing else was left beside them');
is(value($check), "true credentials are sealed with key $second", 'selfcheck() is content');

# The other database still has the former key, and is told so.
is(value($opened, 'other'), '1 of 1', 'what another database sealed opens with the former key');
like(value($check, 'other'), qr/^true credentials are sealed with the former key $first; the key file has $second by now \/ SELECT \* FROM zcsync\.rotate_key\(\);/, 'its selfcheck() says so');
value(q{SELECT zcsync.set_credentials('c', '{"token": "pk_c2"}')}, 'other');
is(value($opened, 'other'), '1 of 1', 'and it goes on sealing with it');
value('SELECT * FROM zcsync.rotate_key()', 'other');
is(value($sealed_by, 'other'), $second, 'it follows');
isnt(slurp_file($key_file), $first_key, 'without one more key');
is_deeply([ sort glob "$key_file*" ], [ $key_file, "$key_file.$first" ], 'or file');

# ---------------------------------------------------------------------
# Killed on the way
# ---------------------------------------------------------------------
# After the files were changed, before the commit.
{
	my $session = $node->background_psql($db);
	$session->query_safe('BEGIN; SELECT * FROM zcsync.rotate_key();');
	my $third = value($fingerprint);
	isnt($third, $second, 'the key file has another key before the commit');
	is(value($opened), '2 of 2', 'and what is committed opens with the former');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	kill_process($node, $pid);
	eval { $session->quit };
	is(value($sealed_by), $second, 'killed before the commit: all is sealed as before');
	is(value($opened), '2 of 2', 'and opens');
	is(value($opened, 'other'), '1 of 1', 'in the other database, too');
	like(value($check), qr/the former key $second; the key file has $third by now/, 'selfcheck() knows');
	value(q{SELECT zcsync.add_account('d', 'clickup', '{}', '{"token": "pk_d"}')});
	is(value($opened), '3 of 3', 'credentials are sealed meanwhile, too');
	value('SELECT * FROM zcsync.rotate_key()');
	is(value($sealed_by), $third, 'the next call ends what was begun');
	is(value($opened), '3 of 3', 'and everything opens');
	is(scalar(my @files = glob "$key_file*"), 3, 'with no key more than that');
}

# After the former key got its second name, and before it was replaced.
{
	my $now = value($fingerprint);
	link $key_file, "$key_file.$now" or die $!;
	append_to_file("$key_file.99999.tmp", 'half');
	is(value($opened), '3 of 3', 'killed between the two names: all opens');
	value('SELECT * FROM zcsync.rotate_key()');
	isnt(value($fingerprint), $now, 'the next call replaces the key');
	is(value($opened), '3 of 3', 'and everything opens');
	is((stat "$key_file.$now")[3], 1, 'the two names are two files');
}

# Rolled back: as if killed.
{
	my $before = value($sealed_by);
	value('BEGIN; SELECT * FROM zcsync.rotate_key(); ROLLBACK');
	is(value($sealed_by), $before, 'rolled back: sealed as before');
	is(value($opened), '3 of 3', 'and opens');
	value('SELECT * FROM zcsync.rotate_key()');
	is(value($opened), '3 of 3', 'and the next call goes on');
}

# ---------------------------------------------------------------------
# What cannot be opened
# ---------------------------------------------------------------------
{
	my $now = value($fingerprint);
	value(q{UPDATE zcsync.credentials SET sealed = set_byte(sealed, 25, 255 - get_byte(sealed, 25)) WHERE account_id = zcsync.account('b')});
	fails('SELECT * FROM zcsync.rotate_key()', qr/cannot open credential "token" of account \d+: .* is damaged\nDETAIL:  Nothing was sealed anew, and no key was made\.\nHINT:  .*set_credentials/s, 'one that cannot be opened keeps all as it is');
	is(value($fingerprint), $now, 'and no key is made');
	value(q{SELECT zcsync.set_credentials('b', '{"token": "pk_b2"}')});
	rename $key_file, "$key_file.away" or die $!;
	fails('SELECT * FROM zcsync.rotate_key()', qr/key file .* is missing/, 'without the key it does nothing');
	ok(!-e $key_file, 'least of all make one');
	rename "$key_file.away", $key_file or die $!;
}

# A directory that the server may not write to: an operator makes the files.
{
	my $now = value($fingerprint);
	move($key_file, "$key_file.$now") or die $!;
	append_to_file($key_file, '0123456789abcdef' x 4 . "\n");
	chmod 0600, $key_file or die $!;
	value('SELECT * FROM zcsync.rotate_key()');
	is(slurp_file($key_file), '0123456789abcdef' x 4 . "\n", 'a key that was put there by hand is taken');
	is(value($sealed_by), value($fingerprint), 'all is sealed under it');
	is(value($opened), '3 of 3', 'and opens');
}

# Two at a time: the second waits for the first, and both end well.
{
	my $session = $node->background_psql($db);
	$session->query_safe('BEGIN; SELECT * FROM zcsync.rotate_key();');
	my $before = value($fingerprint);
	value('SELECT * FROM zcsync.rotate_key()', 'other');
	is(value($sealed_by, 'other'), $before, 'another database meanwhile takes the same key');
	$session->query_safe('COMMIT');
	$session->quit;
	is(value($opened) . ', ' . value($opened, 'other'), '3 of 3, 1 of 1', 'and everything opens in both');
}

# ---------------------------------------------------------------------
# A standby has a key file of its own
# ---------------------------------------------------------------------
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
chmod 0600, $standby->data_dir . '/zcsync.key' or die $!;
$standby->start;
value('SELECT * FROM zcsync.rotate_key()');
my $last = value($fingerprint);
$node->wait_for_catchup($standby);
like($standby->safe_psql($db, $check), qr/^false key file .* holds key [0-9a-f]{16}; credentials are sealed with key $last \/ Copy the key file of the primary to this place/, 'a standby is told by selfcheck()');
my ($rc, $out, $err) = $standby->psql($db, 'SELECT * FROM zcsync.rotate_key()');
like($err, qr/this server is a standby/, 'and rotates nothing');
copy($key_file, $standby->data_dir . '/zcsync.key') or die $!;
chmod 0600, $standby->data_dir . '/zcsync.key' or die $!;
is($standby->safe_psql($db, $check), "true credentials are sealed with key $last", 'with the file it is ready again');
is($standby->safe_psql($db, $opened), '3 of 3', 'and could open everything');

unlike(slurp_file($_->logfile), qr/pk_[a-d]|0123456789abcdef/, 'no secret and no key is in the log of ' . $_->name) for $node, $standby;

done_testing();
