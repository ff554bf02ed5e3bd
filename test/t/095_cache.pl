# The cache on servers of its own: small limits, a clock that moves, a hundred
# thousand keys, many sessions at once, snapshots that come from elsewhere,
# databases, restarts, a standby, and servers that have none.

use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

my $node = new_node('primary', init => [ allows_streaming => 1 ],
	conf => "zcsync.cache_max_entries = 500\nzcsync.cache_size = 256kB\nzcsync.cache_ttl = 5min\nmax_prepared_transactions = 2\nautovacuum = off\n");
$node->start;
setup_zcsync($node);

# ask for a key, then put it, in one statement
my $put = <<'SQL';
CREATE FUNCTION put(k text, v jsonb, ttl interval DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM zcsync.cache_get(k);
	RETURN zcsync.cache_set(k, v, ttl);
END $$;
SQL
$node->safe_psql('postgres', $put);

sub value
{
	return $node->safe_psql('postgres', shift);
}

sub move_clock
{
	my ($offset) = @_;

	value("ALTER SYSTEM SET zcsync.clock_offset = $offset");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('zcsync.clock_offset') = '$offset'") or die 'the clock does not move';
	return;
}

# ---------------------------------------------------------------------
# Time to live: of the setting, of the session's, of the value
# ---------------------------------------------------------------------
value("SELECT put('setting', '1'), put('own', '1', '1 hour'); SET zcsync.cache_ttl = '10min'; SELECT put('session', '1')");
my $there = q{SELECT k FROM unnest('{own,session,setting}'::text[]) AS k WHERE zcsync.cache_get(k) IS NOT NULL ORDER BY 1};
move_clock(100);
is(value($there), "own\nsession\nsetting", 'all are there');
move_clock(301);
is(value($there), "own\nsession", 'one has expired');
is(value('SELECT entries FROM zcsync.stat_cache'), '2', 'and is removed when it is asked for');
move_clock(2400);
is(value($there), 'own', 'the time of the value wins');
move_clock(3601);
is(value($there), '', 'until it is over, too');
is(value('SELECT entries, bytes FROM zcsync.stat_cache'), '0|0', 'nothing is left');
move_clock(0);

# ---------------------------------------------------------------------
# 100,000 keys: memory stays at its bound, in shared memory and in a session
# ---------------------------------------------------------------------
my $session = $node->background_psql('postgres');
my $memory = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
my $fill = sub { "SELECT count(*) FILTER (WHERE put('key:' || i, jsonb_build_object('n', i, 'text', repeat('x', i % 700)))) FROM generate_series($_[0], $_[1]) AS i" };
my @before = split /\|/, value('SELECT puts, misses, evictions, dropped, entries FROM zcsync.stat_cache');

$session->query_safe($fill->(1, 5000));
my $first = $session->query_safe($memory);
is($session->query_safe($fill->(5001, 100000)), '95000', '100,000 keys are put');
cmp_ok($session->query_safe($memory), '<', $first + 64 * 1024, 'the memory of the session does not grow');
my @after = split /\|/, value('SELECT puts, misses, evictions, dropped, entries FROM zcsync.stat_cache');
is($after[0] - $before[0], 100000, 'puts are counted');
is($after[1] - $before[1], 100000, 'and misses');
is($after[2] - $before[2], 100000 - $after[4], 'and what had to go');
is($after[3] - $before[3], 0, 'nothing was dropped');
is(value('SELECT max_entries, max_bytes FROM zcsync.stat_cache'), '500|262144', 'the limits');
is(value('SELECT entries <= max_entries AND bytes <= max_bytes AND bytes > 0.9 * max_bytes FROM zcsync.stat_cache'), 't', 'the memory is used, and no more');
is(value('SELECT every(zcsync.cache_get(\'key:\' || i) = jsonb_build_object(\'n\', i, \'text\', repeat(\'x\', i % 700))) FROM generate_series(99900, 100000) AS i'),
	't', 'the last values are there');
is(value("SELECT count(zcsync.cache_get('key:' || i)) FROM generate_series(1, 90000, 100) AS i"), '0', 'those before are not');
value('SELECT zcsync.cache_clear()');
is(value('SELECT entries, bytes FROM zcsync.stat_cache'), '0|0', 'all of it can be had again');
is($session->query_safe($fill->(1, 500)), '500', 'and is');
$session->quit;

# ---------------------------------------------------------------------
# Many at once: each value belongs to its key, and after each commit nothing
# older is read than what was committed before the reading began
# ---------------------------------------------------------------------
value('CREATE TABLE facts (id integer PRIMARY KEY, v integer NOT NULL); INSERT INTO facts SELECT i, 0 FROM generate_series(1, 20) AS i; CREATE TABLE wrong (id integer, v integer, cached jsonb)');
my $script = $node->basedir . '/writer.sql';
append_to_file($script, <<'SQL');
\set id random(1, 20)
BEGIN;
UPDATE facts SET v = v + 1 WHERE id = :id;
SELECT zcsync.cache_delete('fact:' || :id);
COMMIT;
SQL
append_to_file("$script.reader", <<'SQL');
\set id random(1, 20)
SELECT v AS floor FROM facts WHERE id = :id \gset
SELECT coalesce((zcsync.cache_get('fact:' || :id) ->> 'v')::integer, -1) AS cached, coalesce((zcsync.cache_get('fact:' || :id) ->> 'id')::integer, :id) AS whose \gset
\if :cached < 0
	SELECT v AS v FROM facts WHERE id = :id \gset
	SELECT zcsync.cache_set('fact:' || :id, jsonb_build_object('v', :v, 'id', :id, 'fill', repeat('x', :v % 5000)));
\endif
\set stale :cached >= 0 and :cached < :floor or :whose <> :id
\if :stale
	INSERT INTO wrong VALUES (:id, :floor, to_jsonb(:cached));
\endif
SQL
append_to_file("$script.function", <<'SQL');
\set id random(1, 20)
SELECT put('fact:' || id, jsonb_build_object('v', v, 'id', id)) FROM facts WHERE id = :id;
SQL
{
	my $dropped = value('SELECT dropped FROM zcsync.stat_cache');
	my $hits = value('SELECT hits FROM zcsync.stat_cache');
	$node->command_ok([ 'pgbench', '-n', '-T', '5', '-c', '8', '-f', "$script\@1", '-f', "$script.reader\@3", '-f', "$script.function\@1", 'postgres' ],
		'writers and readers');
	cmp_ok(value('SELECT hits FROM zcsync.stat_cache'), '>', $hits + 100, 'there were hits');
	cmp_ok(value('SELECT dropped FROM zcsync.stat_cache'), '>', $dropped, 'and values that were overtaken');
	is(value(q{SELECT count(*) FROM facts WHERE (zcsync.cache_get('fact:' || id) ->> 'v')::integer <> v}), '0', 'nothing old is left');
	note(value('SELECT * FROM zcsync.stat_cache'), ' read too old meanwhile: ', value('SELECT count(*) FROM wrong'));
}

# ---------------------------------------------------------------------
# A transaction with the snapshot of another one
# ---------------------------------------------------------------------
my $exporter = $node->background_psql('postgres');
my $importer = $node->background_psql('postgres');

$exporter->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $snapshot = $exporter->query_safe('SELECT pg_export_snapshot()');
my $old = $exporter->query_safe('SELECT v FROM facts WHERE id = 1');
value("BEGIN; UPDATE facts SET v = v + 1 WHERE id = 1; SELECT zcsync.cache_delete('fact:1'); COMMIT");
$importer->query_safe("SELECT zcsync.cache_get('fact:1')");
$importer->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '$snapshot'");
is($importer->query_safe('SELECT v FROM facts WHERE id = 1'), $old, 'it sees what was before');
is($importer->query_safe("SELECT zcsync.cache_set('fact:1', to_jsonb(v)) FROM facts WHERE id = 1"), 'f', 'and puts nothing');
$importer->query_safe('COMMIT');
$exporter->query_safe('COMMIT');
$importer->quit;
$exporter->quit;

# ---------------------------------------------------------------------
# Databases share the memory, not the keys
# ---------------------------------------------------------------------
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', "CREATE EXTENSION zcsync; $put");
value("SELECT put('k', '\"postgres\"')");
is($node->safe_psql('other', "SELECT zcsync.cache_get('k') IS NULL"), 't', 'the key of another database is another key');
$node->safe_psql('other', "SELECT put('k', '\"other\"')");
is(value("SELECT zcsync.cache_get('k')"), '"postgres"', 'each has its own');
$node->safe_psql('other', 'SELECT zcsync.cache_clear()');
is(value("SELECT zcsync.cache_get('k')"), '"postgres"', 'and clears its own');

# ---------------------------------------------------------------------
# Prepared transactions, restarts, standbys
# ---------------------------------------------------------------------
my (undef, undef, $stderr) = $node->psql('postgres', "BEGIN; SELECT zcsync.cache_invalidate('k*'); PREPARE TRANSACTION 'p'");
like($stderr, qr/ERROR:  cannot prepare a transaction that has invalidated entries of the cache/, 'what invalidates cannot be prepared');
is(value("SELECT zcsync.cache_get('k')"), '"postgres"', 'and is rolled back');

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT zcsync.cache_get('k') IS NULL, put('k', '1'), zcsync.cache_get('k') IS NULL"), 't|f|t', 'a standby has no cache');
is($standby->psql('postgres', "SELECT zcsync.cache_delete('k'), zcsync.cache_invalidate('*'), zcsync.cache_clear()"), 0, 'invalidating is no error there');
is($standby->safe_psql('postgres', 'SELECT entries, hits, misses, puts FROM zcsync.stat_cache'), '0|0|0|0', 'and does nothing');
my $survivor = $standby->background_psql('postgres');
$survivor->query_safe("SELECT put('k', '1')");
$node->stop;
$standby->promote;
is($survivor->query_safe("SELECT put('k', '\"promoted\"')"), 't', 'after the promotion it has one');
$survivor->quit;
is($standby->safe_psql('postgres', "SELECT zcsync.cache_get('k')"), '"promoted"', 'that others see');
$standby->restart;
is($standby->safe_psql('postgres', "SELECT zcsync.cache_get('k') IS NULL"), 't', 'a restart empties it');

# ---------------------------------------------------------------------
# Turned off, and not preloaded
# ---------------------------------------------------------------------
$standby->append_conf('postgresql.conf', 'zcsync.cache_size = 0');
$standby->restart;
is($standby->safe_psql('postgres', "SELECT put('k', '1'), zcsync.cache_get('k') IS NULL"), 'f|t', 'without memory nothing is stored');
$standby->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$standby->restart;
is($standby->safe_psql('postgres', "SELECT put('k', '1'), zcsync.cache_get('k') IS NULL"), 'f|t', 'nor without preloading');
is($standby->safe_psql('postgres', "SELECT zcsync.cache_delete('k'), zcsync.cache_invalidate('*'), zcsync.cache_clear()"), '||', 'invalidating is no error');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM zcsync.stat_cache'), '0', 'there is nothing to count');
(undef, undef, $stderr) = $standby->psql('postgres', 'SELECT zcsync.cache_get(NULL)');
like($stderr, qr/ERROR:  cache key cannot be null/, 'errors are errors');
$standby->stop;

done_testing();
