# Each role of doc/security.md, with the grants that stand there and no others:
# it reads each table and view that it was granted, with rows in them, and calls
# each function, and none of that meets a right that it lacks.

use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

my $node = new_node('main', conf => "shared_preload_libraries = 'pg_stat_statements,zcsync'\nzcsync.cache_size = '8MB'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements');
setup_zcsync($node, 'postgres');

# One of everything that the views show.  The accounts of vendors are paused, so
# that the worker, which is one of these things, leaves them alone.
$node->safe_psql('postgres', <<'SQL');
INSERT INTO zcsync.accounts (name, vendor, state) VALUES ('acme', 'zendesk', 'paused'), ('dev', 'clickup', 'paused'), ('halo', 'halopsa', 'paused'), ('crm', 'local', 'active');
INSERT INTO zcsync.account_budgets (account_id, class, calls, window_s, tokens, refilled_at)
SELECT account_id, 'api', 100, 60, 45, zcsync._now() FROM zcsync.accounts WHERE vendor <> 'local';
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at, history_state, records_done, records_estimate, history_started_at)
SELECT zcsync.account(a), k, a <> 'acme', zcsync._now(), CASE a WHEN 'acme' THEN 'running' ELSE 'none' END, 10, 100, zcsync._now() - interval '1 min'
FROM (VALUES ('acme', 'tickets'), ('dev', 'tasks'), ('halo', 'leads'), ('crm', 'leads')) AS v (a, k);
INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, assignee_id, created_at, updated_at, sync_cause, sync_xid, sync_state)
SELECT zcsync.account('acme'), n, 'Ticket ' || n, 'open', '7', now(), now(), 'pull', '1', 'synced' FROM generate_series(1, 3) AS n;
INSERT INTO zcsync.tasks (account_id, remote_id, list_id, name, sync_cause, sync_xid, sync_state)
SELECT zcsync.account('dev'), n, '1', 'Task ' || n, 'pull', '1', 'synced' FROM generate_series(1, 3) AS n;
INSERT INTO zcsync.contacts (account_id, remote_id, name, email, organization_id, sync_cause, sync_xid, sync_state)
SELECT zcsync.account(a), '7', 'Ann', 'ann@firm.example', '9', 'pull', '1', 'synced' FROM unnest('{acme,halo}'::text[]) AS a;
INSERT INTO zcsync.companies (account_id, remote_id, type, name, domain, sync_cause, sync_xid, sync_state)
VALUES (zcsync.account('halo'), '9', 'client', 'Firm', 'firm.example', 'pull', '1', 'synced');
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, position, active, sync_cause, sync_xid)
VALUES (zcsync.account('dev'), '1:open', '1', 'open', 'Open', 1, true, 'pull', '0');
SELECT count(*) FROM zcsync.sync_leads('apollo', '[{"id": "1", "first_name": "Ann", "last_name": "Lee", "organization_name": "Firm", "email": "ann@firm.example"},
	{"id": "2", "first_name": "Ann", "last_name": "Lee", "organization_name": "Firm Ltd", "city": "York"}]', 'crm');
INSERT INTO zcsync.routes (name, source_stream_id, target_stream_id, defined_by)
SELECT 'intake', s.stream_id, t.stream_id, current_user FROM zcsync.streams s, zcsync.streams t
WHERE s.account_id = zcsync.account('crm') AND t.account_id = zcsync.account('halo');
INSERT INTO zcsync.route_errors (route_id, source_id, field, code, value, message, hint, detail)
SELECT r.route_id, l.local_id, 'client_id', 'unmapped_company', '@firm.example', 'no client', 'SELECT 1;', '{"email": "bob@firm.example", "name": "Firm"}'
FROM zcsync.routes r, zcsync.leads l;
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, kind, local_id, record_key, dedupe_key, payload, priority, attempts, class, status, message, created_at)
SELECT -1, t.account_id, 'task-sync', 'push', 'api', 'tasks', t.local_id, 'k', 'k', '{}', 50, 3, 'rejected', 400, 'Status does not exist', zcsync._now() FROM zcsync.tasks t WHERE remote_id = '1';
INSERT INTO zcsync.sync_queue (account_id, queue, operation, record_key, dedupe_key, kind, local_id, state, attempts, failures, last_class, last_error)
SELECT t.account_id, 'task-sync', 'push', t.remote_id, t.remote_id, 'tasks', t.local_id, CASE remote_id WHEN '2' THEN 'held' ELSE 'ready' END, 1, 1, 'conflict', 'Database collision'
FROM zcsync.tasks t WHERE remote_id > '1';
SELECT zcsync._alert('test', '', 'warning', 'look at this', NULL);
SELECT zcsync.create_intake('crm', 'apollo', 'id,email');
SELECT zcsync.cache_set('tickets', '{"a": 1}');
SELECT zcsync._count_operations(zcsync.account('dev'), 'push', '{updated}');
UPDATE zcsync.tickets SET subject = 'Other', sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE remote_id = '1';
UPDATE zcsync.tasks SET priority = 2 WHERE remote_id = '3';
SQL
wait_for_worker($node, 'postgres');

# What is granted to whom: { role => [ statements ] }.
my $text = slurp_file(dirname(__FILE__) . '/../../doc/security.md');
my %grants;
while ($text =~ /^    (GRANT .*?;)/msg)
{
	my $sql = $1 =~ s/--[^\n]*//gr;

	my ($role) = $sql =~ /TO (\w+);$/ or next;
	push @{ $grants{$role} }, $sql;
}
is(join(' ', sort keys %grants), 'marketing monitor reader searcher support', 'doc/security.md names these roles');

# How each granted function is called; "name" alone takes no argument.
my $lead = $node->safe_psql('postgres', q{SELECT zcsync.reference('leads', min(local_id)) FROM zcsync.leads});
my $other = $node->safe_psql('postgres', q{SELECT zcsync.reference('leads', max(local_id)) FROM zcsync.leads});
my %calls = (
	reference => "('tasks', 1)", account => "('dev')",
	history => "('dev/tasks/3')", record => "('dev/tasks/3')", sync_ticket => "('acme/tickets/1')", sync_task => "('dev/tasks/1')",
	sync_lead => "('apollo', '{\"id\": \"3\", \"email\": \"cy\@other.example\"}', 'crm')", sync_leads => "('apollo', '[{\"id\": \"4\", \"email\": \"di\@other.example\"}]', 'crm')",
	create_intake => "('crm', 'apollo', 'id,email')", (map { $_ => '((SELECT max(name) FROM zcsync.intakes))' } qw(plan_import import_leads drop_intake)),
	explain_lead => "('$lead')", merge_leads => "('$lead', '$other')", split_lead => "('$lead')", keep_apart => "('$lead', '$other')",
	metrics => '()', (map { $_ => "('ticket')" } qw(search search_tickets search_leads)), top_companies => '()', recent_leads => '()', active_tickets_by_user => "('7')", tickets_report => '()');
my @order = qw(create_intake plan_import import_leads explain_lead keep_apart merge_leads split_lead sync_lead sync_leads drop_intake);
my %place = map { $order[$_] => $_ } 0 .. $#order;

# A statement of a role; its output, or its error.
sub as
{
	my ($role, $statement) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $statement, extra_params => [ '-U', $role ]);

	return ($rc, $rc == 0 ? $out : $err);
}

for my $role (sort keys %grants)
{
	$node->safe_psql('postgres', join("\n", "CREATE ROLE $role LOGIN;", @{ $grants{$role} }));
	my @relations = split /\n/, $node->safe_psql('postgres', qq{SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind IN ('r', 'p', 'v')
		AND has_table_privilege('$role', c.oid, 'SELECT') AND NOT c.relispartition ORDER BY 1});
	my @functions = split /\n/, $node->safe_psql('postgres', qq{SELECT DISTINCT p.proname FROM pg_proc p WHERE p.pronamespace = 'zcsync'::regnamespace
		AND has_function_privilege('$role', p.oid, 'EXECUTE') AND p.proname !~ '^_'});

	for my $relation (@relations)
	{
		my ($rc, $out) = as($role, "SELECT r::text FROM zcsync.$relation AS r");
		# no vendor is called here; what these read, they read without rows, too
		ok($rc == 0 && ($out ne '' || $relation =~ /^stat_(?:calls|connections)$/), "$role reads rows of $relation") or diag($out);
	}
	for my $function (sort { ($place{$a} // -1) <=> ($place{$b} // -1) || $a cmp $b } @functions)
	{
		my $arguments = $calls{$function} // ($function =~ /_page(?:_json)?$|_advice$/ ? '()' : undef);

		ok(defined $arguments, "this test knows how to call $function()") or next;
		my ($rc, $out) = as($role, "SELECT * FROM zcsync.$function$arguments");
		unlike($rc == 0 ? '' : $out, qr/permission denied|does not exist/, "$role calls $function()");
	}
}

# A role that defines routes gets its rights from a function, and what expressions
# read beyond the source row as doc/routes.md says.
$node->safe_psql('postgres', q{CREATE ROLE analyst LOGIN; SELECT zcsync.allow_routes('analyst'); GRANT SELECT ON zcsync.contacts, zcsync.fields, zcsync.lead_statuses TO analyst});
for my $call (q{add_route('mine', 'acme/tickets', 'dev/tasks', create_in => '1')}, q{check_route('mine')}, q{plan('mine')}, q{explain_route('mine', 'acme/tickets/1')}, q{alter_route('mine', filter => 'true')},
	q{map_field('mine', 'priority', '1')}, q{unmap_field('mine', 'priority')}, q{map_value('mine', 'status', 'open', 'open')}, q{unmap_value('mine', 'status', 'open')}, q{resume_route('mine')}, q{backfill_route('mine')},
	q{backfill_route('mine', confirm => true)}, q{apply_route('mine', 'acme/tickets/1')}, q{pause_route('mine')}, q{map_company('crm/companies/@firm.example', 'halo/companies/9')}, q{unmap_company('crm/companies/@firm.example', 'halo')},
	q{release_held('dev')}, q{cancel_held('dev')}, q{remove_route('mine')})
{
	my ($rc, $out) = as('analyst', "SELECT * FROM zcsync.$call");

	unlike($rc == 0 ? '' : $out, qr/permission denied|does not exist/, "analyst: $call");
	note($out) if $rc != 0;
}

# Roles ready made: the operator has the verbs of alerts, the reader searches, but not in private text.
$node->safe_psql('postgres', q{CREATE ROLE auditor LOGIN; SELECT zcsync.grant_reader('auditor'); CREATE ROLE night_shift LOGIN; SELECT zcsync.grant_operator('night_shift')});
for my $call (q{add_alert_target('mine', 'notify', '{"channel": "mine"}')}, q{alert_measures()}, q{test_alert('mine')}, q{alter_alert_target('mine', severity => 'critical')}, q{pause_alert_target('mine')},
	q{resume_alert_target('mine')}, q{add_alert_rule('mine', 'lag', 10)}, q{alter_alert_rule('mine', '{"warning": 20}')}, q{pause_alert_rule('mine')}, q{resume_alert_rule('mine')}, q{acknowledge_alert(1)},
	q{set_credentials_end('dev', '2030-01-01')}, q{remove_alert_rule('mine')}, q{remove_alert_target('mine')}, q{search('ticket')}, q{search_tickets('ticket')}, q{search_leads('ann')})
{
	my ($rc, $out) = as('night_shift', "SELECT * FROM zcsync.$call");

	unlike($rc == 0 ? '' : $out, qr/permission denied|function zcsync\.\S+ does not exist/, "night_shift: $call");
	($rc, $out) = as('auditor', "SELECT * FROM zcsync.$call");
	$call =~ /^(?:search\(|search_leads)/ ? is($rc, 0, "auditor: $call") || diag($out) : like($out, qr/permission denied/, "auditor may not: $call");
}
for my $role (qw(auditor night_shift))
{
	like((as($role, q{SELECT * FROM zcsync.search('ticket', include_private => true)}))[1], qr/permission denied to search private text/, "$role: private text needs a grant of its own");
}
is((as('auditor', q{SELECT count(*) FROM zcsync.search('ticket')}))[1], '0', 'auditor: no ticket is found by what may be private text');
isnt((as('auditor', q{SELECT count(*) FROM zcsync.search('ann')}))[1], '0', 'auditor: leads and contacts are');

# What they may write.
for my $sql (q{support INSERT INTO zcsync.tasks (account_id, list_id, name, description) VALUES (zcsync.account('dev'), '1', 'new', 'see https://www.example.com/1')},
	q{support UPDATE zcsync.tasks SET description = 'see https://www.example.com/2' WHERE remote_id = '3'},
	q{marketing INSERT INTO zcsync.leads (account_id, email) VALUES (zcsync.account('crm'), 'eve@firm.example')}, q{marketing UPDATE zcsync.leads SET city = 'Leeds'})
{
	my ($role, $statement) = split / /, $sql, 2;
	my ($rc, $out) = as($role, $statement);

	is($rc, 0, "$role: " . substr($statement, 0, 30)) or diag($out);
}
is(log_lines($node, 'PANIC|terminated by signal'), 0, 'no process failed');

$node->stop;
done_testing();
