# Two servers: the first makes records at two vendors that it has not replicated,
# and is killed.  The second one takes over, makes none of them twice, and goes on
# with them when it is told to.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 0, '--halopsa-leads', 0,
	'--zendesk-plan', 'none', '--clickup-plan', 'none', '--halopsa-plan', 'none');
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
$simulator->post('holdback', { seconds => 0 });

# The first server, with its routes at rest.
my $first = new_node('first', init => [ allows_streaming => 1 ], conf => 'log_statement = none');
$first->start;
setup_zcsync($first, 'postgres');
add_simulated_accounts($first, 'postgres', $simulator);
$first->safe_psql('postgres', sprintf <<'SQL', $simulator->halopsa);
SELECT zcsync.add_account('halo', 'halopsa', '{"base_url": "%s"}', '{"client_id": "client-acme", "client_secret": "secret-acme"}');
SELECT zcsync.add_account('crm', 'local');
UPDATE zcsync.account_budgets SET calls = 1000000;
SELECT count(*) FROM zcsync.discover('dev');
SELECT zcsync.add_stream('acme', 'tickets', pull_interval => '1 s');
SELECT zcsync.add_stream('dev', 'tasks', pull_interval => '1 s');
SELECT zcsync.add_stream('halo', 'leads', pull_interval => '1 s');
SELECT zcsync.add_stream('dev', 'statuses');
SELECT zcsync.add_stream('halo', kind) FROM unnest('{fields,statuses}'::text[]) AS kind;
SELECT zcsync.alter_stream(s, writes => true) FROM unnest('{dev/tasks,halo/leads}'::text[]) AS s;
SQL
wait_until($first, 'postgres', 'SELECT bool_and(last_pull_at IS NOT NULL) FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id) WHERE a.vendor <> $$local$$', 'all streams are read');
$first->safe_psql('postgres', sprintf <<'SQL', $bugs);
SELECT zcsync.pause_queue('route');
SELECT zcsync.add_route('intake', 'crm/leads', 'halo/leads', ticket_type => 'Opportunity');
SELECT zcsync.map_field('intake', 'value', '1000');
SELECT zcsync.add_route('bugs', 'acme/tickets', 'dev/tasks', create_in => '%s');
SELECT zcsync.resume_route(name) FROM zcsync.routes;
SQL

$first->backup('base');
my $second = PostgreSQL::Test::Cluster->new('second');
$second->init_from_backup($first, 'base', has_streaming => 1);
chmod 0600, $second->data_dir . '/zcsync.key' or die $!;		# as pg_basebackup leaves it
$second->start;

# What is to be made, which both of them know: by the routes, and a task whose create is on its way.
$simulator->post('create', { account => 'acme', fields => { subject => "Ticket $_" } }) for 1 .. 4;
$first->safe_psql('postgres', sprintf q{SELECT count(*) FROM zcsync.sync_leads('apollo', '[%s]', 'crm')}, join ',',
	map { qq({"id": "$_", "first_name": "Ann", "last_name": "Lead$_", "organization_name": "Firm $_", "email": "ann\@firm$_.example"}) } 1 .. 3);
wait_until($first, 'postgres', q{SELECT count(*) = 7 FROM zcsync.sync_queue WHERE operation = 'route'}, 'the routes have something to do');
$simulator->post('faults', { vendor => 'clickup', method => 'POST', path => '/task$', fault => 'hang', after => \1, count => 1 });
$first->safe_psql('postgres', "INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '$bugs', 'By hand')");
wait_until($second, 'postgres', q{SELECT count(*) = 1 FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'running'}, 'a create is on its way, and the second server knows');
$first->wait_for_catchup($second);

# From here on the second server knows nothing.
sub creates { return scalar @{ $simulator->get('ledger', operation => 'create', limit => 1000)->{writes} } }
$second->stop;
my $made = creates();
$first->safe_psql('postgres', q{SELECT zcsync.resume_queue('route')});
wait_until($first, 'postgres', q{SELECT count(*) = 7 FROM zcsync.links l
	WHERE EXISTS (SELECT FROM zcsync.tasks t WHERE t.local_id = l.target_id AND t.remote_id IS NOT NULL)
		OR EXISTS (SELECT FROM zcsync.leads t WHERE t.local_id = l.target_id AND t.remote_id IS NOT NULL)}, 'the first server makes the records');
is(creates(), $made + 7, 'at the vendors');
$made = creates();
$first->stop('immediate');

# Single records and look-ups come slowly, while the lists that name them are read at once.
$simulator->post('faults', [
	{ vendor => 'halopsa', method => 'GET', path => '/Opportunities/[0-9]+', fault => 'delay', delay_ms => 4000, count => 0 },
	{ vendor => 'clickup', method => 'GET', path => 'date_created_gt', fault => 'delay', delay_ms => 4000, count => 0 } ]);
$second->start;
$second->promote;
wait_until($second, 'postgres', q{SELECT count(*) = 1 FROM zcsync.alerts WHERE code = 'failover'}, 'the second server takes over');
$second->safe_psql('postgres', q{SELECT zcsync.resume_queue('route')});
like($second->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', object, state), ', ' ORDER BY object) FROM zcsync._awaited()}), qr/^route bugs waiting, route intake waiting$/,
	'its routes wait');
$second->append_conf('postgresql.conf', 'zcsync.clock_offset = 130');
$second->reload;
wait_until($second, 'postgres', q{SELECT count(*) = 0 FROM zcsync.sync_queue WHERE operation IN ('route', 'push', 'apply', 'fetch')}, 'until all is read and stored, and then work');
is(creates(), $made, 'nothing is made twice');
is($second->safe_psql('postgres', q{SELECT string_agg(r.name || ' ' || e.code || ' ' || e.hint, ', ' ORDER BY r.name, e.source_id) FROM zcsync.route_errors e JOIN zcsync.routes r USING (route_id)}),
	join(', ', (q{bugs other_installation SELECT * FROM zcsync.adopt_marks('dev');}) x 4, (q{intake other_installation SELECT * FROM zcsync.adopt_marks('halo');}) x 3),
	'what the first server made is shown, with what to do');
is($second->safe_psql('postgres', q{SELECT string_agg(code, ',') FROM zcsync.alerts WHERE resolved_at IS NULL}), 'failover', 'and is no other installation at work');
is($second->safe_psql('postgres', q{SELECT count(*) FROM zcsync.tasks WHERE name = 'By hand' AND remote_id IS NOT NULL AND sync_state = 'synced'}), 1, 'the create that was on its way is found');

# Taken over, these go on.
is($second->safe_psql('postgres', q{SELECT count(*) FROM unnest('{dev,halo}'::text[]) AS a, zcsync.adopt_marks(a, confirm => true) AS m WHERE m.op = 'adopted'}), 7, 'they are taken over');
wait_until($second, 'postgres', q{SELECT count(*) = 7 AND NOT EXISTS (SELECT FROM zcsync.route_errors) FROM zcsync.links WHERE route_id IS NOT NULL}, 'as pairs of the routes');
my $new = $simulator->post('create', { account => 'acme', fields => { subject => 'Ticket 5' } })->{id};
wait_until($second, 'postgres', q{SELECT count(*) = 1 FROM zcsync.tasks WHERE name = 'Ticket 5' AND remote_id IS NOT NULL}, 'and what is new is made');
is(creates(), $made + 1, 'once');
is($second->safe_psql('postgres', "SELECT local_id > 9000000 FROM zcsync.tickets WHERE remote_id = '$new'"), 't', 'with a number that the first server cannot have given');
is(log_lines($second, 'PANIC|terminated by signal'), 0, 'no process failed');

$second->stop;
done_testing();
