# Leads stay what they are: one for each person, whoever brings them, how many
# at a time, and in which order.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $node = new_node('main');
$node->append_conf('postgresql.conf', 'max_connections = 130');
$node->start;
setup_zcsync($node);

sub value { return $node->safe_psql('postgres', $_[0]); }

# pgbench on scripts, each with its weight; returns what went wrong
sub bench
{
	my ($clients, $transactions, @scripts) = @_;
	my ($out, $err) = ('', '');
	my $n = 0;

	my @files = map { my $name = $node->basedir . '/script' . $n++; append_to_file($name, $_); ('-f', $name) } @scripts;
	my $done = run_log([ 'pgbench', '-n', '-c', $clients, '-j', 2, '-t', $transactions, @files, '-h', $node->host, '-p', $node->port, 'postgres' ],
		'>', \$out, '2>', \$err);
	unlink grep { $_ ne '-f' } @files;
	return $done && $out =~ /actually processed: (\d+)\/\1/ ? '' : "$out$err";
}

$node->safe_psql('postgres', 'CREATE EXTENSION pg_trgm');
$node->safe_psql('postgres', 'SELECT FROM zcsync.setup()');
$node->safe_psql('postgres', "SELECT zcsync.add_account('crm', 'local')");

# ---------------------------------------------------------------------
# Many sessions, one e-mail
# ---------------------------------------------------------------------

is(bench(100, 3, <<'SQL'), '', '100 sessions bring one e-mail');
\set n random(1, 1000000)
SELECT * FROM zcsync.sync_lead('apollo', jsonb_build_object('id', :n, 'email', CASE WHEN :n % 2 = 0 THEN 'ann@acme.com' ELSE 'Ann@ACME.com' END,
	'first_name', 'Ann' || :n));
SQL
is(value('SELECT count(*), count(DISTINCT email) FROM zcsync.leads'), '1|1', 'they make one lead');
is(value('SELECT count(*) > 1 AND count(DISTINCT local_id) = 1 FROM zcsync.lead_identities'), 't', 'all ids are of that lead');
is(value('SELECT l.first_name = r.vals ->> \'first_name\' FROM zcsync.leads l, zcsync.lead_rows r ORDER BY r.at DESC, r.row_id DESC LIMIT 1'), 't',
	'with what was said last');

# Batches with the same people in any order, plain writes beside them.
is(bench(16, 10, <<'SQL', <<'SQL'), '', 'sessions bring the same people in different orders');
SELECT count(*) FROM zcsync.sync_leads('csv', (SELECT jsonb_agg(jsonb_build_object('email', 'p' || n || '@b.com', 'title', (random() * 1000)::integer) ORDER BY random())
	FROM generate_series(1, 40) AS n));
SQL
\set n random(1, 40)
UPDATE zcsync.leads SET city = 'x' || :n WHERE email = 'p' || :n || '@b.com';
SQL
is(value("SELECT count(*), count(DISTINCT email) FROM zcsync.leads WHERE email LIKE 'p%'"), '40|40', 'each is there once');
is(value(q{SELECT count(*) FROM zcsync.lead_identities i WHERE NOT EXISTS (SELECT FROM zcsync.leads l WHERE l.local_id = i.local_id)}), '0',
	'each identity is one of a lead');
is(value(q{SELECT count(*) FROM zcsync.lead_rows r WHERE NOT EXISTS (SELECT FROM zcsync.leads l WHERE l.local_id = r.local_id AND l.merged_into IS NULL)}), '0',
	'so is each row');

# ---------------------------------------------------------------------
# One switchboard
# ---------------------------------------------------------------------

value("SELECT zcsync.add_account('hall', 'local')");
value(<<'SQL');
CREATE FUNCTION staff(n integer) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('first_name', initcap(translate(left(md5('f' || n), 6), '0123456789', 'ghijklmnop')),
	'last_name', initcap(translate(left(md5('l' || n), 8), '0123456789', 'ghijklmnop')),
	'company', 'Hall PLC', 'phone', '+44 20 7946 0000', 'website', 'hall.co.uk') $$;
SQL
for my $from (1, 101, 201)
{
	is(value("SELECT string_agg(DISTINCT result, ',') FROM zcsync.sync_leads('csv', (SELECT jsonb_agg(staff(n)) FROM generate_series($from, $from + 99) AS n), 'hall')"),
		'created', "employees from $from are taken");
}
is(value("SELECT count(*) FROM zcsync.leads WHERE account_id = zcsync.account('hall') AND merged_into IS NULL"), '300', '300 employees with one number stay 300');
is(value("SELECT count(*) FROM zcsync.lead_duplicates WHERE account_id = zcsync.account('hall')"), '0', 'and none looks like another');

# ---------------------------------------------------------------------
# Any order
# ---------------------------------------------------------------------

# Up to five rows for each of 60 people, from sources of different precedence.
# Some have no e-mail, some come twice with different ids, some have two
# addresses and are two leads.
value(<<'SQL');
CREATE TABLE people AS
SELECT n, initcap(translate(left(md5('a' || n), 7), '0123456789', 'ghijklmnop')) AS first,
	initcap(translate(left(md5('b' || n), 9), '0123456789', 'ghijklmnop')) AS last, 'Firm' || translate(left(md5('c' || n / 3), 5), '0123456789', 'ghijklmnop') AS firm
FROM generate_series(1, 60) AS n;
CREATE TABLE given AS
SELECT row_number() OVER () AS id, g.source, jsonb_strip_nulls(g.doc) AS doc FROM people p CROSS JOIN LATERAL (VALUES
	('apollo', jsonb_build_object('id', p.n, 'first_name', p.first, 'last_name', p.last, 'organization_name', p.firm || ' Ltd', 'email', p.first || '@' || p.firm || '.com',
		'title', 'Head of ' || p.n, 'updated_at', '2026-01-01')),
	('apollo', CASE WHEN p.n % 4 = 0 THEN jsonb_build_object('id', 'x' || p.n, 'first_name', p.first, 'last_name', p.last, 'organization_name', p.firm,
		'email', upper(p.first || '@' || p.firm || '.com'), 'city', 'Ulm', 'updated_at', '2026-02-01') END),
	('zoominfo', CASE WHEN p.n % 3 > 0 THEN jsonb_build_object('id', p.n, 'firstName', p.first, 'lastName', p.last, 'email', CASE WHEN p.n % 2 = 0 THEN p.first || '@' || p.firm || '.com' END,
		'company', jsonb_build_object('name', p.firm || ' GmbH', 'website', p.firm || '.com'), 'phone', '+49 30 8100' || 100 + p.n) END),
	('csv', CASE WHEN p.n % 5 > 1 THEN jsonb_build_object('name', p.first || ' ' || p.last, 'phone', CASE WHEN p.n % 3 > 0 THEN '+49 30 8100' || 100 + p.n END, 'company', p.firm, 'website', p.firm || '.com',
		'country', 'DE') END),
	('manual', CASE WHEN p.n % 7 = 0 AND p.n % 3 = 0 AND p.n % 5 < 2 THEN jsonb_build_object('first_name', p.first, 'last_name', p.last, 'email', 'private' || p.n || '@gmail.com', 'company', p.firm) END)
	) AS g (source, doc) WHERE g.doc IS NOT NULL;
-- which rows are together, and what they amount to
CREATE FUNCTION outcome(account text) RETURNS TABLE (rows text[], vals jsonb) LANGUAGE sql AS
$$ SELECT (SELECT array_agg(r.source || r.row_key ORDER BY r.source || r.row_key) FROM zcsync.lead_rows r WHERE r.local_id = l.local_id),
		(SELECT jsonb_object_agg(c, to_jsonb(l) -> c) FROM unnest(zcsync._own_columns('leads')) AS c WHERE c NOT IN ('created_at', 'updated_at')) || jsonb_build_object('quality', l.quality)
	FROM zcsync.leads l WHERE l.account_id = zcsync.account(account) AND l.merged_into IS NULL $$;
CREATE FUNCTION take_all(account text, seed double precision, size integer) RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
	v_batch record;
	v_bad bigint := 0;
BEGIN
	PERFORM setseed(seed);
	CREATE TEMP TABLE shuffled ON COMMIT DROP AS SELECT row_number() OVER (ORDER BY r) AS n, g.* FROM (SELECT random() AS r, g.* FROM given g OFFSET 0) AS g;
	FOR v_batch IN SELECT s.source, jsonb_agg(s.doc ORDER BY s.n) AS docs
		FROM (SELECT s.*, s.n - row_number() OVER (PARTITION BY s.source ORDER BY s.n) AS run FROM shuffled s) AS s
		GROUP BY s.source, s.run, s.n / size ORDER BY min(s.n)
	LOOP
		v_bad := v_bad + (SELECT count(*) FROM zcsync.sync_leads(v_batch.source, v_batch.docs, account) WHERE NOT ok);
	END LOOP;
	RETURN v_bad;
END
$$;
SELECT zcsync.add_account('order0', 'local');
SQL
is(value("SELECT take_all('order0', 0, 100)"), '0', 'all rows are taken');
is(value("SELECT count(*) FROM outcome('order0')"), value(q{SELECT 60 + count(*) FROM given WHERE source = 'manual'}), 'each person is one lead, or as many as e-mails');
for my $order (1 .. 6)
{
	my $size = (2, 7, 100)[ $order % 3 ];

	value("SELECT zcsync.add_account('order$order', 'local')");
	is(value("SELECT take_all('order$order', $order / 20.0, $size)"), '0', "order $order, $size at a time");
	is(value("SELECT * FROM outcome('order0') EXCEPT SELECT * FROM outcome('order$order')"), '', 'the same leads');
	is(value("SELECT count(*) FROM outcome('order$order')"), value("SELECT count(*) FROM outcome('order0')"), 'and no others');
}
# once more: nothing is written
value("CREATE TABLE before AS SELECT local_id, xmin::text AS writer FROM zcsync.leads");
is(value("SELECT take_all('order1', 0.5, 100)"), '0', 'all rows once more');
is(value("SELECT count(*) FROM zcsync.leads l JOIN before b ON b.local_id = l.local_id AND b.writer <> l.xmin::text"), '0', 'write nothing');

done_testing();
