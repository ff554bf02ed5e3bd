# Logical replication: a publication of all tables breaks nothing, and the
# mirror arrives at another server as doc/warehouse.md says.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use ZcsyncTest;

my $node = new_node('mirror', init => [ allows_streaming => 'logical' ], conf => "listen_addresses = ''\nmax_wal_senders = 10");
$node->start;
sub value { return $node->safe_psql('postgres', $_[0]) }

# ---------------------------------------------------------------------
# A publication of all tables
# ---------------------------------------------------------------------

value('CREATE PUBLICATION everything FOR ALL TABLES');
setup_zcsync($node, 'postgres');
value(q{SELECT zcsync.add_account('crm', 'local', settings => '{}')});
is(value(<<'SQL'), '', 'each table that is published has a replica identity');
SELECT c.oid::regclass FROM pg_class AS c
WHERE c.relnamespace::regnamespace::text LIKE 'zcsync%' AND c.relkind = 'r' AND c.relreplident IN ('d', 'n')
	AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
SQL

# What writes to history and leads, and makes months and moves rows to them.
value(q{INSERT INTO zcsync.leads (account_id, email, title) VALUES (zcsync.account('crm'), 'ada@example.com', 'Ada'), (zcsync.account('crm'), 'bob@example.com', 'Bob')});
value(q{UPDATE zcsync.leads SET title = 'Ada Byron' WHERE email = 'ada@example.com'});
value(<<'SQL');
INSERT INTO zcsync.changes (account_id, kind, local_id, action, cause, role, created_at)
VALUES (1, 'leads', 1, 'update', 'local', 'me', '2026-01-10');
INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, status, attempts, queued_at, created_at)
SELECT i, 1, 'route', 'route', 'done', 1, '2026-01-10', '2026-01-10' FROM generate_series(1, 300) AS i;
INSERT INTO zcsync.leads (account_id, email, inserted_at) VALUES (zcsync.account('crm'), 'old@example.com', '2020-01-10');
SQL
is($node->psql('postgres', 'SELECT zcsync.create_partitions()'), 0, 'months are made');
is($node->psql('postgres', 'CALL zcsync.maintain()'), 0, 'maintain() does all steps');
is(value('SELECT count(*) FROM zcsync.sync_records WHERE created_at < now() - $$1 day$$::interval'), 100, 'and trims records');
is($node->psql('postgres', q{UPDATE zcsync.changes SET role = 'you' WHERE created_at = '2026-01-10'}), 0, 'a row of history can be written');
is($node->psql('postgres', 'SELECT * FROM zcsync.setup()'), 0, 'setup() again');
value(q{SELECT * FROM zcsync.create_intake('crm', 'apollo', header => 'First Name,Last Name,Email')});
is($node->psql('postgres', q{UPDATE zcsync_intake.apollo_1 SET email = email}), 0, 'the table of an intake can be written');
is(log_lines($node, 'does not have a replica identity'), 0, 'nobody missed a replica identity');
value('DROP PUBLICATION everything');

# ---------------------------------------------------------------------
# A warehouse
# ---------------------------------------------------------------------

my $warehouse = new_node('warehouse', preload => 0, init => [ allows_streaming => 'logical' ], conf => "listen_addresses = ''");
$warehouse->start;

# The statements of the manual, as they stand there.
my $manual = slurp_file("$FindBin::Bin/../../doc/warehouse.md");
my @blocks = map { s/^    //gmr } $manual =~ /\n\n((?:    .*\n)+)/g;
is(scalar @blocks, 3, 'the manual has three blocks of statements');
value($blocks[0]);
my $ddl = value($blocks[1]);
is(scalar(() = $ddl =~ /CREATE TABLE/g), 8, 'the tables of the warehouse');
$warehouse->safe_psql('postgres', "CREATE SCHEMA zcsync;\n$ddl");
my $connection = $node->connstr('postgres') =~ s{'}{''}gr;
$warehouse->safe_psql('postgres', $blocks[2] =~ s/CONNECTION '[^']*'/CONNECTION '$connection'/r);
$node->wait_for_catchup('warehouse');
$warehouse->wait_for_subscription_sync($node, 'warehouse');

# Is a table the same on both sides?
sub same
{
	my ($table, $what) = @_;
	my $sum = "SELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\"), '')) FROM (SELECT %s FROM zcsync.$table) AS t";
	my $columns = $warehouse->safe_psql('postgres', "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = 'zcsync.$table'::regclass AND attnum > 0");

	$node->wait_for_catchup('warehouse');
	return is($warehouse->safe_psql('postgres', sprintf $sum, $columns), value(sprintf $sum, $columns), "$what: $table");
}
same($_, 'the first copy') for qw(leads changes tickets);

value(<<'SQL');
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk');
INSERT INTO zcsync.streams (account_id, kind) VALUES (zcsync.account('acme'), 'tickets');
INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, tags, sync_cause, sync_xid, sync_state)
SELECT zcsync.account('acme'), i, 'Ticket ' || i, 'open', '{a,b}', 'pull', '1', 'synced' FROM generate_series(1, 500) AS i;
INSERT INTO zcsync.leads (account_id, email, title) VALUES (zcsync.account('crm'), 'eve@example.com', 'Eve');
SQL
same($_, 'inserts') for qw(leads changes tickets);
value(q{UPDATE zcsync.tickets SET status = 'solved', sync_cause = 'pull', sync_xid = '2' WHERE remote_id::integer % 3 = 0});
value(q{UPDATE zcsync.leads SET title = 'Eva' WHERE email = 'eve@example.com'});
same($_, 'updates') for qw(leads changes tickets);

# Months that are made now, with rows that move to them.
value(q{INSERT INTO zcsync.leads (account_id, email, inserted_at) VALUES (zcsync.account('crm'), 'older@example.com', '2019-05-10'), (zcsync.account('crm'), 'oldest@example.com', '2018-05-10')});
value(q{INSERT INTO zcsync.changes (account_id, kind, local_id, action, cause, role, created_at) VALUES (1, 'leads', 1, 'update', 'local', 'me', '2019-05-10')});
same($_, 'rows without a month') for qw(leads changes);
my $changes = value('SELECT count(*) FROM zcsync.changes');
is(value('SELECT zcsync.create_partitions()'), 3, 'their months are made');
is(value('SELECT count(*) FROM ONLY zcsync.leads_default'), 0, 'and they move');
is(value('SELECT count(*) FROM zcsync.changes'), $changes, 'which is no change');
same('leads', 'months that are new');
is($warehouse->safe_psql('postgres', q{SELECT count(*) FROM zcsync.leads WHERE email ~ '^old'}), 3, 'no row is lost on the way');
value(q{UPDATE zcsync.leads SET title = 'Moved' WHERE email ~ '^old'});
same('leads', 'writes to them');

is(log_lines($warehouse, 'ERROR|PANIC'), 0, 'the warehouse met no error');
is(log_lines($node, 'PANIC|TRAP'), 0, 'nor did the mirror');
$warehouse->safe_psql('postgres', 'DROP SUBSCRIPTION warehouse');
$warehouse->stop;
$node->stop;
done_testing();
