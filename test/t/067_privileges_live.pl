# Who may do what while it all works: the worker's role, readers and editors.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 20, tasks => 10);
my ($node, $simulator) = ($flow->node, $flow->simulator);
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
ok($flow->mirror, 'both sides are read');

# A statement by a role; returns its output, or the first line of its error.
sub as
{
	my ($role, $statement) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $statement, extra_params => [ '-U', $role ]);

	return $rc == 0 ? $out : $err =~ /(ERROR:.*)/ ? $1 : $err;
}

# ---------------------------------------------------------------------
# The role of the worker
# ---------------------------------------------------------------------
my $worker = q{SELECT oid FROM pg_roles WHERE rolname = 'zcsync_worker'};
is($flow->value('SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = \'zcsync_worker\''), 'f', 'the worker has no attribute');
is($flow->value("SELECT count(*) FROM pg_auth_members WHERE member = ($worker)"), 0, 'and is a member of no role');
is($flow->value(q{SELECT coalesce(string_agg(c.oid::regclass::text, ', '), '') FROM pg_class c WHERE relnamespace = 'zcsync'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
	AND CASE relkind WHEN 'S' THEN has_sequence_privilege('zcsync_worker', oid, 'USAGE, SELECT, UPDATE')
		ELSE has_table_privilege('zcsync_worker', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') OR has_any_column_privilege('zcsync_worker', oid, 'SELECT, INSERT, UPDATE, REFERENCES') END}),
	'', 'it has a right on no table, view or sequence');
for my $table (qw(credentials tickets tasks accounts sync_queue installation changes))
{
	like(as('zcsync_worker', "SELECT * FROM zcsync.$table"), qr/permission denied for table $table/, "it cannot read $table");
}
like(as('zcsync_worker', $_), qr/permission denied/, "nor run $_")
  for q{SELECT zcsync.set_credentials('dev', '{"token": "x"}')}, q{SELECT zcsync.add_account('x', 'clickup')}, 'SELECT * FROM zcsync.setup()', 'SELECT zcsync.adopt_database()',
  q{SELECT zcsync.stop()}, q{SELECT zcsync._call(1, '{"op": "team"}')}, q{SELECT zcsync._seal_credential(1, 'a', 'b')}, q{SELECT zcsync.remove_account('dev', force => true)},
  'CREATE TABLE zcsync.x ()', 'CREATE FUNCTION zcsync.x() RETURNS int LANGUAGE sql RETURN 1', 'SELECT zcsync._take_page(1, \'tickets\', \'{}\', NULL)', 'SELECT zcsync._allow_delete()';
is($flow->value(q{SELECT coalesce(string_agg(p.oid::regprocedure::text, ', '), '') FROM pg_proc p WHERE pronamespace = 'zcsync'::regnamespace
	AND has_function_privilege('zcsync_worker', p.oid, 'EXECUTE') AND p.proname <> ALL (zcsync._worker_functions())}), '', 'it may run what it needs and nothing else');
is($flow->value(q{SELECT coalesce(string_agg(p.oid::regprocedure::text, ', '), '') FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
	WHERE pronamespace::regnamespace::text ~ '^zcsync' AND a.grantee = 0}), '', 'everybody may run nothing');

# With a search_path, operators and casts of an attacker.
$flow->value(q{CREATE ROLE attacker LOGIN; GRANT CREATE ON SCHEMA public TO attacker});
as('attacker', 'CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION \'trapped\'; END$$');
as('attacker', 'CREATE FUNCTION public.trap(text, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION \'trapped\'; END$$;
	CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.trap); CREATE OPERATOR public.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = public.trap);
	CREATE TABLE public.accounts (x int); CREATE TABLE public.tickets (x int)');
$flow->value(q{ALTER ROLE zcsync_worker SET search_path = public, pg_catalog});
$flow->value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'zcsync worker'});
$simulator->post('edit', { account => 'acme', id => 3, fields => { subject => 'not trapped' } });
wait_until($node, 'postgres', q{SELECT subject OPERATOR(pg_catalog.=) 'not trapped' FROM zcsync.tickets WHERE remote_id OPERATOR(pg_catalog.=) '3'}, 'a search_path set for the worker does no harm');
$flow->value(q{ALTER ROLE zcsync_worker RESET search_path});

# ---------------------------------------------------------------------
# Readers and editors
# ---------------------------------------------------------------------
$flow->value(<<'SQL');
CREATE ROLE reader LOGIN; CREATE ROLE editor LOGIN;
GRANT USAGE ON SCHEMA zcsync TO reader, editor;
GRANT SELECT ON zcsync.tickets, zcsync.tasks TO reader;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON zcsync.tickets, zcsync.tasks TO editor;
GRANT EXECUTE ON FUNCTION zcsync.account TO editor;
GRANT USAGE ON SEQUENCE zcsync.local_id_seq TO editor;
SQL
is(as('reader', 'SELECT count(*) FROM zcsync.tickets'), 20, 'a reader reads');
like(as('reader', q{UPDATE zcsync.tasks SET name = 'x'}), qr/permission denied for table tasks/, 'and no more');
like(as('reader', 'SELECT * FROM zcsync.credentials'), qr/permission denied for table credentials/, 'least of all secrets');

my $task = $flow->value(q{SELECT min(local_id) FROM zcsync.tasks WHERE remote_id IS NOT NULL});
my $own = qr/ERROR:  cannot update columns of table "(?:tasks|tickets)" that zcsync sets itself/;
for my $set (q{remote_id = 'x'}, q{remote_id = NULL}, q{base = '{}'}, q{base = NULL}, q{remote = '{}'}, q{remote_version = '0'}, q{deleted_at = now()}, q{synced_at = now()},
	q{sync_state = 'failed'}, 'sync_key = gen_random_uuid()', q{sync_cause = 'pull', sync_xid = '1'}, q{local_id = 1000000},
	q{sync_cause = 'push', sync_xid = pg_current_xact_id(), points = 1}, q{sync_cause = 'route', sync_cause_id = 1, sync_xid = pg_current_xact_id(), name = 'x'},
	q{sync_cause = NULL, base = '{}'}, q{name = 'x', base = '{}'})
{
	my $result = as('editor', "UPDATE zcsync.tasks SET $set WHERE local_id = $task");
	like($result, $own, "an editor cannot set $set");
}
like(as('editor', "INSERT INTO zcsync.tasks (account_id, list_id, name, $_->[0]) VALUES (zcsync.account('dev'), '$bugs', 'x', $_->[1])"), qr/ERROR:  cannot insert columns of table "tasks" that zcsync sets itself/, "or insert $_->[0]")
  for [ 'remote_id', q{'x'} ], [ 'base', q{'{}'} ], [ 'sync_cause, sync_xid', q{'pull', '1'} ], [ 'sync_cause, sync_xid, sync_state', q{'local', '1', 'synced'} ],
  [ 'sync_cause, sync_cause_id, sync_xid', q{'route', 1, pg_current_xact_id()} ], [ 'local_id', '999999999' ], [ 'deleted_at', 'now()' ];
like(as('editor', 'DELETE FROM zcsync.tasks'), qr/rows of table "tasks" cannot be deleted/, 'or delete');
like(as('editor', q{SELECT set_config('zcsync_delete.allowed_in', pg_current_xact_id()::text, false); DELETE FROM zcsync.tasks}), qr/cannot be deleted/, 'whatever it sets');
like(as('editor', q{BEGIN; SELECT set_config('zcsync_delete.allowed_in', pg_current_xact_id()::text, true); DELETE FROM zcsync.tasks; COMMIT}), qr/cannot be deleted/, 'even for its transaction');
like(as('editor', 'TRUNCATE zcsync.tasks'), qr/cannot be truncated/, 'or truncate');
like(as('editor', 'ALTER TABLE zcsync.tasks DISABLE TRIGGER USER'), qr/must be owner/, 'or switch the triggers off');
like(as('editor', 'SET session_replication_role = replica'), qr/permission denied/, 'in any way');
like(as('editor', q{UPDATE zcsync.tickets SET subject = 'x'}), qr/ERROR:  stream "acme\/tickets" is read-only/, 'a stream is read only unless somebody allows writes');
$flow->value(q{SELECT zcsync.alter_stream('dev/tasks', writes => false)});
like(as('editor', "UPDATE zcsync.tasks SET points = 4 WHERE local_id = $task"), qr/stream "dev\/tasks" is read-only/, 'and again when that is taken back');
$flow->value(q{SELECT zcsync.alter_stream('dev/tasks', writes => true)});
my $last = $flow->last_write;
$flow->polls;
is($flow->last_write, $last, 'nothing of that was sent');
is($flow->value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push'}), 0, 'or queued');

# What an editor may do is pushed, also where it pretends that it was already.
is(as('editor', "UPDATE zcsync.tasks SET sync_cause = 'local', sync_xid = pg_current_xact_id(), sync_state = 'synced', name = 'forged' WHERE local_id = $task RETURNING sync_state"), 'pending', 'an edit cannot be hidden');
like(as('editor', "INSERT INTO zcsync.tasks (account_id, list_id, name, sync_cause, sync_xid, sync_state, sync_key) VALUES (zcsync.account('dev'), '$bugs', 'forged', 'local', pg_current_xact_id(), 'synced',
	'00000000-0000-0000-0000-000000000000') RETURNING sync_state || ' ' || sync_key"), qr/^pending (?!00000000-0000)/, 'nor a new row');
$flow->settle('both are sent');
is($flow->value(q{SELECT count(*) FROM zcsync.tasks WHERE name = 'forged' AND remote_id IS NOT NULL AND base ->> 'name' = 'forged'}), 2, 'and arrive');
is(as('editor', "UPDATE zcsync.tasks SET name = 'edited by a role', points = 4 WHERE local_id = $task RETURNING sync_state"), 'pending', 'an editor edits');
is(as('editor', "INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '$bugs', 'made by a role') RETURNING sync_state"), 'pending', 'and inserts');
$flow->settle('both are sent');
my %task = map { $_->{name} => $_ } @{ $simulator->get('state/tasks', workspace => 'dev', limit => 10000)->{tasks} };
is($task{'edited by a role'}{points}, 4, 'the edit is at ClickUp');
ok($task{'made by a role'}, 'and the new task');
is($flow->value(q{SELECT string_agg(DISTINCT role, ',') FROM zcsync.changes WHERE cause = 'local'}), 'editor', 'history says who it was');
is($flow->value(q{SELECT string_agg(DISTINCT cause, ',') FROM zcsync.history('dev/tasks/#} . $task . q{') WHERE field_name = 'points' AND new = '4'}), 'local', 'and from where');

# Some rows, some columns only.
$flow->value(qq{REVOKE ALL ON zcsync.tasks FROM editor; GRANT SELECT, UPDATE (priority) ON zcsync.tasks TO editor;
	ALTER TABLE zcsync.tasks ENABLE ROW LEVEL SECURITY; CREATE POLICY one ON zcsync.tasks TO editor USING (local_id = $task)});
is(as('editor', 'SELECT count(*) FROM zcsync.tasks'), 1, 'with a policy an editor sees some rows');
like(as('editor', q{UPDATE zcsync.tasks SET name = 'x'}), qr/permission denied for table tasks/, 'writes some columns');
is(as('editor', 'UPDATE zcsync.tasks SET priority = 1'), '', 'of these rows');
$flow->settle('which is sent');
is($flow->value(q{SELECT count(*) FROM zcsync.tasks WHERE priority = 1 AND sync_state = 'synced' AND base ->> 'priority' = '1' AND name = 'edited by a role'}), 1, 'and comes through');
is($flow->writes($last)->{update}, 3, 'as one request for each edit');

is(log_lines($node, 'PANIC|terminated by signal|trapped'), 0, 'no process failed, no trap was stepped into');
$node->stop;
done_testing();
