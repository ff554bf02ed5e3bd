# Who and what records refer to is mirrored: companies, groups, brands, forms.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 30, '--tasks', 0, '--zendesk-plan', 'none', '--halopsa-plan', 'none', '--halopsa-tickets', 2, '--halopsa-leads', 0);
my $node = new_node('main', conf => "zcsync.databases = ''\njit = off\n");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; SET timezone = 'UTC'; $_[0]"); }

# Read every stream again, to its end.
sub work
{
	value('UPDATE zcsync.streams SET next_pull_at = now()');
	for (1 .. 12)
	{
		value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready'});
		run_worker($node, 'postgres', '20 s');
		return if value(q{SELECT count(*) FROM zcsync.sync_queue}) == 0;
	}
}

# Requests whose path matches.
sub calls
{
	my ($path, $vendor) = @_;
	return scalar grep { $_->{path} =~ $path } @{ $simulator->get('requests', vendor => $vendor, limit => 100000)->{requests} };
}

# ---------------------------------------------------------------------
# Zendesk
# ---------------------------------------------------------------------
$simulator->post('settings', { no_forms => 1 });
$simulator->post('catalogue', { vendor => 'zendesk', catalogue => 'groups', fields => { name => "Group $_", default => undef, deleted => undef } }) for 1 .. 120;
value(sprintf q{SELECT zcsync.add_account('acme', 'zendesk', settings => '{"subdomain": "acme", "base_url": "%s", "plan": "enterprise", "high_volume": true}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme"}');
SELECT zcsync.add_stream('acme', kind, since => CASE kind WHEN 'companies' THEN '2000-01-01'::timestamptz END, pull_interval => '1 hour') FROM unnest('{companies,fields}'::text[]) AS kind},
	$simulator->zendesk);
work();
is(value(q{SELECT string_agg(name, ',' ORDER BY name) FROM zcsync.companies WHERE type = 'organization'}), 'Contoso,Fabrikam,Globex Customers,Northwind Traders', 'organizations are companies');
is(value(q{SELECT string_agg(concat_ws(' ', remote_id, jsonb_array_length(options)), ',' ORDER BY remote_id) FROM zcsync.fields WHERE scope_id = 'system'}),
	'brand 1,group 123', 'all groups and brands, although the plan has no forms');
is(value(q{SELECT count(*) FROM zcsync.errors}), 0, 'which is no error');
is(calls(qr{/groups}, 'zendesk'), 2, 'in pages');

# what changes, and what the catalogue has lost
my $id = value(q{SELECT remote_id FROM zcsync.companies WHERE name = 'Contoso'});
$simulator->post('settings', { no_forms => 0 });
$simulator->post('holdback', { seconds => -5 });
$simulator->post('catalogue', { vendor => 'zendesk', catalogue => 'organizations', id => $id,
	fields => { domain_names => ['contoso.example'], external_id => 'crm-7', organization_fields => { tier => 'gold' } } });
$simulator->post('catalogue', { vendor => 'zendesk', catalogue => 'organizations', fields => { name => 'Initech' } });
my ($group) = split /\n/, value(q{SELECT o ->> 'id' FROM zcsync.fields, jsonb_array_elements(options) AS o WHERE remote_id = 'group' AND o ->> 'name' = 'Group 7'});
$simulator->post('catalogue', { vendor => 'zendesk', catalogue => 'groups', id => $group, remove => 1 });
# the export shows what has changed until five minutes ago at the latest, so time passes
$simulator->post('clock', { advance_seconds => 400 });
value(q{UPDATE zcsync.streams SET live_cursor = jsonb_build_object('start_time', extract(epoch FROM now() - interval '10 minutes')::bigint) WHERE kind = 'companies'});
work();
is(value(q{SELECT concat_ws('|', domain, external_id, custom_fields ->> 'tier') FROM zcsync.companies WHERE name = 'Contoso'}), 'contoso.example|crm-7|gold', 'a change of an organization');
is(value(q{SELECT count(*) FROM zcsync.companies WHERE name = 'Initech'}), 1, 'and a new one');
is(value(q{SELECT string_agg(concat_ws(' ', remote_id, jsonb_array_length(options)), ',' ORDER BY remote_id) FROM zcsync.fields WHERE scope_id = 'system'}),
	'brand 1,form 1,group 122', 'a group less, and forms');
is(value(q{SELECT count(*) FROM zcsync.tickets t WHERE NOT EXISTS (SELECT FROM zcsync.fields f, jsonb_array_elements(f.options) AS o WHERE f.remote_id = 'form' AND o ->> 'id' = t.form_id)}),
	0, 'the form of each ticket is known');

# followers, copies and the problem of a ticket, both ways
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}');
	SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01');
	SELECT zcsync.alter_stream('acme/tickets', writes => true)});
work();
my ($ticket, $problem, $agent, $other) = split /\|/, value(q{SELECT concat_ws('|', (array_agg(remote_id ORDER BY remote_id))[1], (array_agg(remote_id ORDER BY remote_id))[2],
	min(assignee_id), max(assignee_id)) FROM zcsync.tickets WHERE status IN ('open', 'pending') AND assignee_id IS NOT NULL});
sub people { return value("SELECT concat_ws('|', follower_ids, email_cc_ids, problem_id, sync_state) FROM zcsync.tickets WHERE remote_id = '$ticket'"); }
sub at_zendesk { my ($t) = grep { $_->{id} eq $ticket } @{ $simulator->get('state/tickets', account => 'acme', limit => 1000)->{tickets} }; return join '|', (map { join ',', @$_ } @{$t}{qw(follower_ids email_cc_ids)}), $t->{problem_id} // ''; }
is(people(), '{}|{}|synced', 'nobody follows a ticket');
value("UPDATE zcsync.tickets SET follower_ids = '{$agent}', email_cc_ids = '{$other}', type = 'incident', problem_id = '$problem' WHERE remote_id = '$ticket'");
work();
is(at_zendesk(), "$agent|$other|$problem", 'who follows it is sent');
is(people(), "{$agent}|{$other}|$problem|synced", 'and agreed');
$simulator->post('edit', { account => 'acme', id => $ticket, fields => { follower_ids => [ 0 + $agent, 0 + $other ], problem_id => undef, satisfaction_rating => { score => 'good' } } });
value("UPDATE zcsync.tickets SET follower_ids = '{}' WHERE remote_id = '$ticket'");
work() for 1, 2;
is(at_zendesk(), "$other|$other|", 'who was added there stays, who was removed here goes');
is(people(), "{$other}|{$other}|synced", 'on both sides');
is(value("SELECT satisfaction FROM zcsync.tickets WHERE remote_id = '$ticket'"), 'good', 'and the rating came');
$simulator->post('delete', { account => 'acme', id => $problem });
work();
is(value("SELECT deleted_at IS NOT NULL, status FROM zcsync.tickets WHERE remote_id = '$problem'"), 't|deleted', 'a deleted ticket');
like(value("SELECT string_agg(concat_ws(' ', who, field, old, new), ',') FROM zcsync.remote_history('acme/tickets/$problem')"), qr/^\w+ \w+ status (?:open|pending) deleted\z/, 'and who deleted it');
$simulator->post('edit', { account => 'acme', id => $problem, fields => { status => 'open' } });
work();
is(value("SELECT deleted_at IS NOT NULL, status FROM zcsync.tickets WHERE remote_id = '$problem'"), 'f|open', 'is restored');

like(value("SELECT string_agg(concat_ws(' ', who, field, old, new), ',' ORDER BY at) FROM zcsync.remote_history('acme/tickets/$ticket') WHERE field = 'problem_id'"),
	qr/^Priya Admin problem_id $problem,Robin Agent problem_id $problem\z/, 'who linked a problem, and who took it away');
$simulator->post('catalogue', { vendor => 'zendesk', catalogue => 'suspended_tickets', fields => { subject => 'You have won', cause => 'Detected as spam', author => { id => undef, name => 'W', email => 'w@spam.example' } } });
is(value(q{SELECT concat_ws('|', author, subject, cause) FROM zcsync.suspended_tickets('acme')}), 'w@spam.example|You have won|Detected as spam', 'a suspended ticket');
is(value(q{SELECT count(*) FROM zcsync.tickets WHERE subject = 'You have won'}), 0, 'is no ticket');
value(q{SELECT zcsync.watch_suspended('acme')});
work();
is(value(q{SELECT concat_ws('|', account, state, why, to_do) FROM zcsync.status WHERE account = 'acme suspended'}),
	q{acme suspended|suspended|1 wait in the suspended queue|SELECT * FROM zcsync.suspended_tickets('acme');}, 'counted for status');

my $before = calls(qr{/organizations}, 'zendesk');
work();
is(calls(qr{/organizations}, 'zendesk'), $before + 1, 'one call while nothing changes');

# ---------------------------------------------------------------------
# ClickUp
# ---------------------------------------------------------------------
value(sprintf q{SELECT zcsync.add_account('dev', 'clickup', settings => '{"workspace_id": "9001001", "plan": "enterprise", "base_url": "%s"}', credentials => '{"token": "pk_183_DEV"}');
SELECT zcsync.add_stream('dev', kind, since => CASE kind WHEN 'tasks' THEN '2000-01-01'::timestamptz END) FROM unnest('{tasks,fields,contacts}'::text[]) AS kind;
SELECT zcsync.alter_stream('dev/tasks', writes => true)}, $simulator->clickup);
work();
is(value(q{SELECT string_agg(concat_ws(' ', o ->> 'id', o ->> 'name'), ',' ORDER BY n) FROM zcsync.fields f, jsonb_array_elements(f.options) WITH ORDINALITY AS x (o, n)
	WHERE f.account_id = zcsync.account('dev') AND f.scope_id = 'system'}), '1 Milestone,1300 Bug', 'types of tasks');
is(value(q{SELECT count(*) > 0 FROM zcsync.fields WHERE account_id = zcsync.account('dev') AND scope_id <> 'system'}), 't', 'and the fields of lists');
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
my $task = value(qq{INSERT INTO zcsync.tasks (account_id, list_id, name, type_id, watchers) VALUES (zcsync.account('dev'), '$bugs', 'Watched', '1300', '{184}') RETURNING local_id});
work();
sub task { return value("SELECT concat_ws('|', type_id, watchers, sync_state) FROM zcsync.tasks WHERE local_id = $task"); }
is(task(), '1300|{184}|synced', 'a task of a type, and who watches it');
my $remote = value("SELECT remote_id FROM zcsync.tasks WHERE local_id = $task");
$simulator->post('edit', { workspace => 'dev', id => $remote, fields => { watchers => [ 183, 184, 185 ], checklists => [ { id => 'c', name => 'Before', items => [ { id => 'i', name => 'Back up', resolved => undef } ] } ] } });
value("UPDATE zcsync.tasks SET watchers = '{}', type_id = NULL WHERE local_id = $task");
work() for 1, 2;
is(task(), '{183,185}|synced', 'watchers of both sides, and a plain task');
is(value("SELECT remote #>> '{checklists,0,items,0,name}' FROM zcsync.tasks WHERE local_id = $task"), 'Back up', 'checklists are read');

# the time that was tracked on it, with its comments
value(q{SELECT zcsync.alter_stream('dev/tasks', comments => 'all')});
work();
is(calls(qr{/time$}, 'clickup'), 0, 'no task was worked on, and none is asked for its time');
$simulator->post('touch', { workspace => 'dev', id => $remote, time => [ { id => 1, user => 183, time => 90000, start => 1770000000000, end => 1770000090000 }, { id => 2, user => 184, time => 60000 } ] });
sub tracked { value('UPDATE zcsync.streams SET comments_at = now() WHERE comments_at IS NOT NULL'); work(); return value(q{SELECT string_agg(concat_ws(' ', author_name, seconds, deleted_at IS NOT NULL), ',' ORDER BY remote_id) FROM zcsync.time_entries}); }
work();
is(tracked(), 'Dana Developer 90 f,Erik Engineer 60 f', 'the time of a task');
is(calls(qr{/time$}, 'clickup'), 1, 'with a call');
$simulator->post('touch', { workspace => 'dev', id => $remote, time => [ { id => 2, user => 184, time => 30000 } ] });
work();
is(tracked(), 'Dana Developer 90 t,Erik Engineer 30 f', 'and its changes');
is(value(q{SELECT coalesce(string_agg(message, '; '), '') FROM zcsync.errors}), '', 'without errors');

# A route makes a requester who is new, before the ticket.
value(q{SELECT zcsync.add_route('up', 'dev/tasks', 'acme/tickets', filter => $$name = 'For support'$$, unknown_user => 'create');
	SELECT zcsync.map_field('up', f, e) FROM (VALUES ('subject', 'name'), ('description', 'name'), ('requester_id', $$'new.person@example.com'$$)) AS m (f, e);
	SELECT zcsync.resume_route('up')});
value(qq{INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '$bugs', 'For support')});
work() for 1, 2;
is(value(q{SELECT concat_ws('|', c.name, c.email, t.sync_state) FROM zcsync.tickets t JOIN zcsync.contacts c ON c.account_id = t.account_id AND c.remote_id = t.requester_id WHERE t.subject = 'For support'}),
	'new.person|new.person@example.com|synced', 'the requester of a new ticket was made');
is(calls(qr{/users/create_or_update}, 'zendesk'), 1, 'once');
is(calls(qr{/users/search}, 'zendesk'), 1, 'after the address was looked up');

# Before them comes their organization, if the route says so, once: although the reply is lost
sub at_halopsa { my ($kind, %fields) = @_; return $simulator->post('create', { vendor => 'halopsa', kind => $kind, fields => \%fields })->{id}; }
my $client = at_halopsa('client', name => 'Hooli', site => '');
my $site = at_halopsa('site', name => 'Main', client_id => $client);
my %user = map { $_ => at_halopsa('user', name => "Gavin $_", emailaddress => "gavin$_\@hooli.example", site_id => $site) } 3, 4;
my $project = at_halopsa('ticket', summary => 'New office', tickettype_id => 50, client_id => $client, site_id => $site, projecttimebudget => 120);
my $over = at_halopsa('ticket', summary => 'Old office', tickettype_id => 50, status_id => 9);
value(sprintf q{SELECT zcsync.add_account('psa', 'halopsa', '{"base_url": "%s", "budgets": {"api": {"calls": 100000, "concurrency": 10}, "token": {"calls": 1000}}}', '{"client_id": "client-acme", "client_secret": "secret-acme"}');
	SELECT zcsync.add_stream('psa', kind, since => '2000-01-01') FROM unnest('{tickets,projects,companies,contacts}'::text[]) AS kind;
	SELECT zcsync.add_stream('acme', 'contacts', since => '2000-01-01');
	SELECT zcsync.add_stream('psa', kind) FROM unnest('{fields,statuses}'::text[]) AS kind}, $simulator->halopsa);
work() for 1, 2;
value(q{SELECT zcsync.add_route('desk', 'psa/tickets', 'acme/tickets', filter => $$subject LIKE 'Hooli %'$$, unknown_user => 'create', unknown_organization => 'create');
	SELECT zcsync.resume_route('desk')});
$simulator->post('faults', { vendor => 'zendesk', fault => 'reset_after', method => 'POST', path => '/organizations/create_or_update' });
$simulator->post('clock', { advance_seconds => 2 });
at_halopsa('ticket', summary => "Hooli $_", client_id => $client, site_id => $site, user_id => $user{$_}, parent_id => $project) for 3, 4;
work() for 1, 2;
is(value(q{SELECT string_agg(concat_ws('|', t.subject, c.name, o.name, t.organization_id = o.remote_id, t.sync_state), ',' ORDER BY t.subject) FROM zcsync.tickets t
	JOIN zcsync.contacts c ON c.account_id = t.account_id AND c.remote_id = t.requester_id LEFT JOIN zcsync.companies o ON o.account_id = t.account_id AND o.remote_id = c.organization_id
	WHERE t.account_id = zcsync.account('acme') AND t.subject LIKE 'Hooli %'}), 'Hooli 3|Gavin 3|Hooli|t|synced,Hooli 4|Gavin 4|Hooli|t|synced', 'who is new belongs to the organization of their company')
	or diag(value('SELECT source, message FROM zcsync.errors'));
is(value(q{SELECT count(*) FROM zcsync.companies WHERE account_id = zcsync.account('acme') AND name = 'Hooli'}), 1, 'which is there once');

# who is at Zendesk already, and not in the mirror, is found, and keeps name and organization
my $made = calls(qr{/users/create_or_update}, 'zendesk');
value(q{SET session_replication_role = replica; DELETE FROM zcsync.contacts WHERE account_id = zcsync.account('acme') AND email = 'gavin3@hooli.example'});
$simulator->post('clock', { advance_seconds => 2 });
at_halopsa('ticket', summary => 'Hooli 5', client_id => $client, site_id => $site, user_id => $user{3});
work() for 1, 2;
is(calls(qr{/users/create_or_update}, 'zendesk'), $made, 'who is there is not written');
is(value(q{SELECT concat_ws('|', c.name, t.sync_state) FROM zcsync.tickets t JOIN zcsync.contacts c ON c.account_id = t.account_id AND c.remote_id = t.requester_id
	WHERE t.account_id = zcsync.account('acme') AND t.subject = 'Hooli 5'}), 'Gavin 3|synced', 'but has the ticket');

# Projects are read apart from tickets, which name them.
my $projects = q{SELECT string_agg(concat_ws('|', p.name, p.budget_hours, p.closed_at IS NOT NULL, p.deleted_at IS NOT NULL, c.name,
	(SELECT count(*) FROM zcsync.tickets t WHERE t.account_id = p.account_id AND t.parent_id = p.remote_id)), ',' ORDER BY p.name)
	FROM zcsync.projects p LEFT JOIN zcsync.companies c ON c.account_id = p.account_id AND c.remote_id = p.organization_id AND c.name = 'Hooli'};
is(value($projects), 'New office|120.0|f|f|Hooli|2,Old office|0.0|t|f|0', 'projects, and their tickets');
is(value(q{SELECT count(*) FROM zcsync.tickets WHERE subject LIKE '% office'}), 0, 'which they are not');
$simulator->post('edit', { vendor => 'halopsa', id => $project, fields => { status_id => 9, projecttimeactual => 7.5 } });
$simulator->post('delete', { vendor => 'halopsa', id => $over, permanent => 1 });
value(q{SELECT zcsync.compare('psa/projects')});
work() for 1, 2;
is(value($projects), 'New office|120.0|t|f|Hooli|2,Old office|0.0|t|t|0', 'what changes, and what is gone');

like(($node->psql('postgres', "SELECT * FROM zcsync.remote_history('dev/tasks/$remote')"))[2], qr/ClickUp has no history that could be read.*zcsync\.history/s, 'ClickUp does not tell who did what');

done_testing();
