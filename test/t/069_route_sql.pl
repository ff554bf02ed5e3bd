# What a role that may define routes can do with their SQL: nothing that it may
# not do itself.  It tries to become superuser, in each place where the SQL runs,
# before and after its functions were first called.  And SQL that will not be
# stopped stops itself.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $node = new_node('main', conf => "zcsync.mapping_timeout = 300ms\nlog_statement = none");
$node->start;
setup_zcsync($node, 'postgres');
sub value { return $node->safe_psql('postgres', $_[0]) }

# A statement by a role; its output and its error.
sub as
{
	my ($role, $statement) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $statement, extra_params => [ '-U', $role ]);

	return "$out $err";
}

# Accounts that nothing is sent to, with a route's source and target.
value(<<'SQL');
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor, settings)
VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'), ('dev', 'clickup', '{"workspace_id": "1"}');
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at, next_pull_at)
SELECT account_id, CASE vendor WHEN 'zendesk' THEN 'tickets' ELSE 'tasks' END, true, now(), '2100-01-01' FROM zcsync.accounts;
CREATE ROLE mallory LOGIN;
CREATE SCHEMA mallory AUTHORIZATION mallory;
SELECT zcsync.allow_routes('mallory');
GRANT SELECT ON zcsync.contacts, zcsync.tickets, zcsync.tasks TO mallory;
GRANT EXECUTE ON FUNCTION zcsync.account TO mallory;
CREATE FUNCTION tickets(first integer, last integer) RETURNS void LANGUAGE sql AS $$
	INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, created_at, updated_at, sync_cause, sync_xid, sync_state)
	SELECT zcsync.account('acme'), i, 'Subject ' || i, 'open', now(), clock_timestamp() + interval '1 second',
		'pull', pg_current_xact_id(), 'synced' FROM generate_series(first, last) i $$;
SQL
value(q{UPDATE zcsync.accounts SET state = 'paused'});

# grab() takes what it can get; replace() puts it in place of all functions that
# mallory has among the compiled ones.  Both say nothing of their failure.
as('mallory', <<'SQL');
CREATE FUNCTION mallory.grab() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	BEGIN ALTER ROLE mallory SUPERUSER; EXCEPTION WHEN OTHERS THEN NULL; END;
	BEGIN UPDATE zcsync.tasks SET remote_id = 'stolen'; EXCEPTION WHEN OTHERS THEN NULL; END;
	BEGIN CREATE TABLE zcsync.stolen (n integer); EXCEPTION WHEN OTHERS THEN NULL; END;
	RETURN true;
END $$;
CREATE FUNCTION mallory.replace() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	f record;
BEGIN
	FOR f IN SELECT p.* FROM pg_proc p WHERE p.pronamespace = 'zcsync_routes'::regnamespace AND p.proowner = 'mallory'::regrole LOOP
		EXECUTE format('CREATE OR REPLACE FUNCTION zcsync_routes.%I(%s) RETURNS %s LANGUAGE plpgsql SECURITY INVOKER AS '
			'$f$ BEGIN PERFORM mallory.grab(); RETURN NULL; END $f$',
			f.proname, pg_get_function_identity_arguments(f.oid), pg_get_function_result(f.oid));
	END LOOP;
	RETURN mallory.grab();
EXCEPTION WHEN OTHERS THEN
	RETURN mallory.grab();
END $$;
SQL

sub harmless
{
	my ($what) = @_;

	is(value(q{SELECT rolsuper::text || count(t.*) || coalesce(to_regclass('zcsync.stolen')::text, '')
		FROM pg_roles LEFT JOIN zcsync.tasks t ON t.remote_id = 'stolen' WHERE rolname = 'mallory' GROUP BY rolsuper}), 'false0', $what);
}

# A route of mallory's, active, with something to do.
my $tickets = 0;

sub route
{
	my ($options) = @_;

	value(q{DELETE FROM zcsync.sync_queue; UPDATE zcsync.accounts SET state = 'active'});
	value(q{SELECT zcsync.remove_route(name) FROM zcsync.routes});
	# the expressions are tried when they are defined, as mallory, on no row
	as('mallory', "SELECT zcsync.add_route('hers', 'acme/tickets', 'dev/tasks', create_in => '901'$options); SELECT zcsync.unmap_field('hers', 'status')");
	is(value(q{UPDATE zcsync.routes SET state = 'active', starts_at = now() - interval '1 hour' RETURNING name}), 'hers', 'a route is made');
	value(q{UPDATE zcsync.accounts SET state = 'paused'});
	$tickets += 5;
	value(sprintf 'SELECT tickets(%d, %d)', $tickets - 4, $tickets);
}

my %ways = (
	'in the plan of a superuser' => sub { as('postgres', q{SELECT * FROM zcsync.plan('hers')}) },
	'in her own plan' => sub { as('mallory', q{SELECT * FROM zcsync.plan('hers')}) },
	'twice in one session' => sub { as('mallory', q{SELECT * FROM zcsync.plan('hers'); SELECT mallory.replace(); SELECT * FROM zcsync.plan('hers'); SELECT * FROM zcsync.plan('hers')}) },
	'in a check' => sub { as('postgres', q{SELECT * FROM zcsync.check_route('hers')}) },
	'when a record is explained' => sub { as('postgres', "SELECT * FROM zcsync.explain_route('hers', 'acme/tickets/$tickets')") },
	'when the route is resumed' => sub { as('mallory', q{SELECT zcsync.pause_route('hers'); SELECT zcsync.resume_route('hers')}) },
	'in a backfill' => sub { as('postgres', q{SELECT * FROM zcsync.backfill_route('hers'); SELECT * FROM zcsync.backfill_route('hers', confirm => true)}) },
	'in jobs that are run by hand' => sub { as('postgres', 'SELECT zcsync._run_route_jobs(); SELECT zcsync._run_route_jobs()') },
	'in run()' => sub { as('postgres', q{CALL zcsync.run(max_runtime => '2 s', until_idle => true)}) },
	'in the worker' => sub {
		value('SELECT zcsync.start()');
		wait_until($node, 'postgres', q{SELECT count(*) = 0 FROM zcsync.sync_queue WHERE operation = 'route' AND run_at <= now() AND state = 'ready'
			AND (SELECT state FROM zcsync.routes) = 'active'}, 'the worker runs the jobs');
		value('SELECT zcsync.stop()');
		wait_for_no_worker($node, 'postgres');
	});
my %attacks = (
	'a filter that replaces the functions behind it' => q{, filter => 'mallory.replace()'},
	'a filter that does so for the worker only' => q{, filter => $$CASE WHEN session_user = 'mallory' THEN true ELSE mallory.replace() END$$},
	'a condition for what exists' => q{, match_on => 'mallory.replace()'},
	'an expression for the list' => q{, create_in => $$CASE WHEN mallory.replace() THEN '901' END$$});

for my $attack (sort keys %attacks)
{
	# everywhere for the first, else where nobody and where somebody waits for it
	for my $way ($attack =~ /behind it/ ? sort keys %ways : ('in the plan of a superuser', 'in the worker'))
	{
		my $options = $attacks{$attack};

		if ($options =~ /create_in/)
		{
			route('');
			as('mallory', q{SELECT zcsync.alter_route('hers'} . $options . ')');
		}
		else
		{
			route($options);
		}
		$ways{$way}->();
		harmless("$attack, $way");
	}
}
# the functions are other ones before they are called
for my $way (sort keys %ways)
{
	route('');
	as('mallory', 'SELECT mallory.replace()');
	$ways{$way}->();
	harmless("functions that were replaced before, $way");
}
is(value(q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'zcsync_routes'::regnamespace AND prosecdef}), 0, 'no compiled function is SECURITY DEFINER');

# ---------------------------------------------------------------------
# What the verbs refuse, the functions behind them refuse
# ---------------------------------------------------------------------
route('');
my $id = value('SELECT route_id FROM zcsync.routes');
value(q{UPDATE zcsync.accounts SET state = 'active'; INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('other', 'clickup', '{"workspace_id": "2"}')});
my $other = value(q{INSERT INTO zcsync.streams (account_id, kind, writes, next_pull_at) SELECT account_id, 'tasks', true, '2100-01-01' FROM zcsync.accounts WHERE name = 'other' RETURNING stream_id});
my %refused = (
	'{"fields": {"%s": {"expression": "\'x\'", "mapped": false, "position": 1}}}' => [ qw(remote_id account_id base sync_state sync_cause sync_xid local_id remote deleted_at list_id) ],
	'{"back": {"%s": {"expression": "\'x\'", "mapped": false, "position": 1}}}' => [ qw(remote_id account_id base sync_state), 'custom:1' ]);
for my $form (sort keys %refused)
{
	for my $field (@{ $refused{$form} })
	{
		my $change = sprintf $form =~ s/'/''/gr, $field;

		like(as('mallory', "SELECT zcsync.$_($id, '$change')"), qr/has no field "\Q$field\E" that a route can write|invalid input|cannot store/, "$_ refuses $change") for qw(_change_route _save_route);
	}
}
is(value(q{SELECT count(*) FROM zcsync.route_fields WHERE field = ANY ('{remote_id,account_id,base,sync_state,list_id}')}), 0, 'none of that is stored');
like(as('mallory', qq{SELECT zcsync._save_value($id, 'remote_id', 'a', 'b', false)}), qr/does not copy a field "remote_id"/, 'nor is the value of such a field');
like(as('mallory', qq{SELECT zcsync._change_route($id, jsonb_build_object('route', jsonb_build_object('target_stream_id', (SELECT source_stream_id FROM zcsync.routes))))}), qr/permission denied/, 'the routes are not hers to read');
like(as('mallory', qq{SELECT zcsync._change_route($id, jsonb_build_object('route', '{"target_stream_id": $other}'::jsonb))}), qr/name and streams of route "hers" cannot be changed/, 'streams stay');
like(as('mallory', qq{SELECT zcsync._change_route(4711, '{"route": {"name": "Own Name", "source_stream_id": 1, "target_stream_id": 2, "direction": "forward", "on_leave": "keep", "unknown_user": "none", "unknown_organization": "none", "notify": false, "create_in": "901"}}')}),
	qr/invalid route name "Own Name"/, 'a route cannot be made past the checks');
# another role with the same right cannot have its settings stored for this route
value(q{CREATE ROLE eve LOGIN; SELECT zcsync.allow_routes('eve')});
like(as('eve', qq{SELECT zcsync._save_route($id, '{"route": {"notify": true}}')}), qr/is not what the route says/, 'settings are the owner\'s');
is(value('SELECT notify FROM zcsync.routes'), 'f', 'and stay');
# what match_on gives is a record of the target, or nothing
route(q{, match_on => 'false'});
value(q{INSERT INTO zcsync.tasks (account_id, remote_id, name, list_id, sync_cause, sync_xid, sync_state) SELECT account_id, 'victim', 'A task of somebody else', '1', 'pull', pg_current_xact_id(), 'synced'
	FROM zcsync.accounts WHERE name = 'other'});
my $match = value(q{SELECT proname FROM pg_proc WHERE pronamespace = 'zcsync_routes'::regnamespace AND proname ~ '^match_'});
as('mallory', qq{CREATE OR REPLACE FUNCTION zcsync_routes.$match(zcsync_rows zcsync.tickets[]) RETURNS zcsync.route_value[] LANGUAGE sql AS
	\$\$ SELECT ARRAY(SELECT ROW(true, NULL, NULL, ARRAY(SELECT local_id FROM zcsync.tasks WHERE remote_id = 'victim'))::zcsync.route_value FROM unnest(zcsync_rows)) \$\$});
value('SELECT zcsync._run_route_jobs()');
is(value(q{SELECT count(*) FROM zcsync.links l JOIN zcsync.tasks t ON t.local_id = l.target_id WHERE t.remote_id = 'victim'}), 0, 'a record of another account is no match');

# ---------------------------------------------------------------------
# SQL that swallows each cancel
# ---------------------------------------------------------------------
route('');
as('mallory', q{CREATE FUNCTION mallory.linger() RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$;
	SELECT zcsync.alter_route('hers', filter => 'mallory.linger()')});
like(as('mallory', q{SELECT * FROM zcsync.plan('hers')}), qr/server closed the connection/, 'it ends a session');
value('SELECT tickets(1001, 1003)');
my $offset = -s $node->logfile;
value('SELECT zcsync.start()');
wait_until($node, 'postgres', q{SELECT state = 'paused' FROM zcsync.routes}, 'and its route is paused');
is(value(q{SELECT message FROM zcsync.alerts WHERE resolved_at IS NULL AND code = 'route_fault'}), 'route "hers" was paused: its SQL ended the process that ran it, twice', 'which is said');
my $log = slurp_file($node->logfile, $offset);
my $ends = () = $log =~ /\n\tSQL of a route, compiled as function "forward_\d+"/g;
is($ends, 2, 'after it ended the worker twice');
wait_for_worker($node, 'postgres');
is(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'route' AND state = 'ready'}) > 0, 1, 'its jobs wait');
# mended, it goes on
as('mallory', q{SELECT zcsync.alter_route('hers', filter => 'true')});
value(q{UPDATE zcsync.accounts SET state = 'active'});
as('mallory', q{SELECT zcsync.resume_route('hers')});
wait_until($node, 'postgres', q{SELECT count(*) >= 3 FROM zcsync.links}, 'a route that was mended goes on');
wait_until($node, 'postgres', 'SELECT attempts = 0 FROM zcsync.route_attempts', 'and starts counting anew');

# an error of route SQL is that route's, whatever it says it is
value('SELECT zcsync.stop()');
wait_for_no_worker($node, 'postgres');
as('mallory', q{CREATE FUNCTION mallory.confuse(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'try again' USING ERRCODE = '40001'; END $$});
route(q{, filter => 'mallory.confuse(remote_id)'});
value('SELECT zcsync._run_route_jobs()');
is(value(q{SELECT string_agg(DISTINCT message, ',') FROM zcsync.route_errors}), 'try again (40001)', 'a serialization failure of route SQL is its own');

done_testing();
