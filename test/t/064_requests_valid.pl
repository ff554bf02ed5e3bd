# Every request of a whole flow is one that the vendors' own documents allow.
#
# The documents are the vendors' and not part of this project; see
# test/simulator/lib/Simulator/OpenAPI.pm for where they are looked for.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Encode qw(encode);
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

use Simulator::OpenAPI;

my $documents = Simulator::OpenAPI->load;
plan skip_all => "the vendors' documents are not here" if !$documents || keys %{ $documents->documents } < 2;

my $flow = ZcsyncFlow->start('main', tickets => 60, tasks => 20);
my ($node, $simulator) = ($flow->node, $flow->simulator);
my $info = $simulator->get('info');
my $bugs = $info->{clickup}{dev}{lists}{Bugs};

ok($flow->mirror(comments => 'linked'), 'both sides are read');
$flow->value(<<'SQL');
SELECT count(*) FROM zcsync.check_account('acme');
SELECT count(*) FROM zcsync.check_account('dev');
SELECT count(*) FROM zcsync.discover('dev');
SELECT zcsync.add_stream('acme', kind) FROM unnest('{contacts,companies,fields,statuses}'::text[]) AS kind;
SELECT zcsync.add_stream('dev', kind) FROM unnest('{contacts,fields}'::text[]) AS kind;
SQL
wait_until($node, 'postgres', 'SELECT bool_and(last_pull_at IS NOT NULL) FROM zcsync.streams', 'all kinds are read');
$flow->route;
$flow->backfill;
$flow->settle('tickets become tasks');

# A task with everything, and every change of it.
my %field = $flow->value("SELECT string_agg(DISTINCT type || '=' || split_part(remote_id, ':', 2), ' ') FROM zcsync.fields WHERE scope_id = '$bugs'") =~ /(\S+)=(\S+)/g;
cmp_ok(scalar keys %field, '>=', 6, 'the list has custom fields of several types');
my %value = (text => '"a text"', short_text => '"a text"', number => '12.5', checkbox => 'true', date => '"2026-03-04T05:06:07Z"', url => '"https://example.com"', email => '"a@example.com"');
$value{$_} = $flow->value("SELECT to_jsonb(options #>> '{options,0,name}') FROM zcsync.fields WHERE split_part(remote_id, ':', 2) = '$field{$_}' LIMIT 1") for grep { $field{$_} } qw(drop_down);
$value{$_} = $flow->value("SELECT jsonb_build_array(options #> '{options,0,label}') FROM zcsync.fields WHERE split_part(remote_id, ':', 2) = '$field{$_}' LIMIT 1") for grep { $field{$_} } qw(labels);
my $fields = '{' . join(', ', map { qq("$field{$_}": $value{$_}) } grep { defined $value{$_} } sort keys %field) . '}';
my $insert = "INSERT INTO zcsync.tasks (account_id, list_id, %s) VALUES (zcsync.account('dev'), '$bugs', %s)";

$flow->value(sprintf $insert, 'name', q{'bare'});
$flow->value(sprintf $insert, 'name, description, status, priority, assignees, tags, due_at, start_at, time_estimate, points, custom_fields',
	qq{'full', 'text', 'to do', 2, '{183}', '{one,two}', '2027-01-01 12:00Z', '2026-12-01Z', 3600000, 5, '$fields'});
$flow->settle('tasks are created');
is($flow->value(q{SELECT count(*) FROM zcsync.tasks WHERE name IN ('bare', 'full') AND remote_id IS NOT NULL AND sync_state = 'synced'}), 2, 'both of them');
$flow->value(sprintf $insert, 'name, parent_id', q{'child', (SELECT remote_id FROM zcsync.tasks WHERE name = 'bare')});
for my $change (
	q{SET name = 'renamed', description = 'other text', status = 'in review', priority = 1, points = 8, time_estimate = 60000 WHERE name = 'full'},
	q{SET assignees = '{184,185}', due_at = NULL, start_at = NULL, priority = NULL, points = NULL, time_estimate = NULL WHERE name = 'renamed'},
	q{SET description = NULL, tags = '{two,three}', custom_fields = '{}' WHERE name = 'renamed'},
	qq{SET custom_fields = '$fields', due_at = '2027-05-05Z' WHERE name = 'bare'},
	q{SET archived = true WHERE name = 'child'},
	q{SET archived = false WHERE name = 'child'},
	q{SET parent_id = (SELECT remote_id FROM zcsync.tasks WHERE name = 'renamed') WHERE name = 'child'},
	qq{SET list_id = '$info->{clickup}{dev}{lists}{Requests}', status = 'planned' WHERE name = 'renamed'})
{
	$flow->value("UPDATE zcsync.tasks $change");
	wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'push')}, "UPDATE tasks $change");
}
is($flow->value(q{SELECT coalesce(string_agg(message, '; '), '') FROM zcsync.errors}), '', 'all of it is accepted');

# A ticket with everything, and every change of it.
$flow->value(q{SELECT zcsync.alter_stream('acme/tickets', writes => true)});
my %ticket_field = $flow->value(q{SELECT string_agg(type || '=' || remote_id, ' ') FROM zcsync.fields WHERE account_id = zcsync.account('acme')}) =~ /(\S+)=(\S+)/g;
my %ticket_value = (text => '"a text"', textarea => '"a text"', integer => '12', decimal => '12.5', checkbox => 'true', date => '"2026-03-04"', tagger => '"Portal"', multiselect => '["Frontend", "Backend"]', regexp => '"AT-00001"');
my $ticket_fields = '{' . join(', ', map { qq("$ticket_field{$_}": $ticket_value{$_}) } grep { defined $ticket_field{$_} } sort keys %ticket_value) . '}';
is(scalar(grep { defined $ticket_field{$_} } keys %ticket_value), 9, 'custom fields of all types');
$flow->value(q{INSERT INTO zcsync.tickets (account_id, subject) VALUES (zcsync.account('acme'), 'bare ticket')});
$flow->value(qq{INSERT INTO zcsync.tickets (account_id, subject, description, status, priority, type, requester_id, assignee_id, group_id, tags, due_at, custom_fields)
	SELECT account_id, 'full ticket', 'text', 'open', 'high', 'task', 'somebody.new\@example.com', assignee_id, group_id, '{one,two}', '2027-01-01 12:00Z', '$ticket_fields'
	FROM zcsync.tickets WHERE account_id = zcsync.account('acme') AND assignee_id IS NOT NULL AND group_id IS NOT NULL ORDER BY local_id LIMIT 1});
$flow->settle('tickets are created');
for my $change (
	q{SET subject = 'renamed ticket', status = 'pending', priority = NULL, type = NULL, due_at = NULL, tags = '{}', assignee_id = NULL, group_id = NULL, organization_id = NULL, custom_fields = '{}' WHERE subject = 'full ticket'},
	qq{SET custom_fields = '$ticket_fields', type = 'problem', priority = 'low' WHERE subject = 'bare ticket'})
{
	$flow->value("UPDATE zcsync.tickets $change");
	wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'push')}, "UPDATE tickets $change");
}
is($flow->value(q{SELECT coalesce(string_agg(message, '; '), '') FROM zcsync.errors}), '', 'all of it is accepted');

# Records on demand, and the look-up of a create whose reply was lost.
my $missing = $simulator->post('create', { account => 'acme', fields => { subject => 'asked for' } })->{id};
$flow->value(qq{SELECT zcsync.sync_ticket('acme/tickets/$missing'); SELECT * FROM zcsync.sync_tickets(ARRAY(SELECT 'acme/tickets/' || remote_id FROM zcsync.tickets LIMIT 30))});
$flow->value(q{SELECT zcsync.sync_task('dev/tasks/' || remote_id) FROM zcsync.tasks WHERE remote_id IS NOT NULL LIMIT 1});
$simulator->post('faults', { fault => 'reset_after', vendor => 'clickup', method => 'POST', path => '/list/' });
$flow->value(sprintf $insert, 'name', q{'lost reply'});
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'push' AND unclear_since IS NOT NULL AND state = 'ready')}, 'the reply to a create is lost');
$simulator->post('faults', { fault => 'reset_after', vendor => 'zendesk', method => 'POST', path => '/tickets$' });
$flow->value(q{INSERT INTO zcsync.tickets (account_id, subject) VALUES (zcsync.account('acme'), 'lost ticket')});
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'tickets' AND unclear_since IS NOT NULL AND state = 'ready')}, 'and to one of a ticket');
$flow->advance(120);
$flow->settle('they are looked up');
is($flow->duplicates, 0, 'and not made again');

# Each request, as it was sent.
my (%seen, %wrong);
my @requests = grep { $_->{status} } $flow->requests;
for my $request (@requests)
{
	my $vendor = $request->{vendor};
	my @problems = $documents->check_request($vendor, $request->{method}, $request->{path}, $request->{query}, encode('UTF-8', $request->{body} // ''));

	$seen{"$vendor $request->{endpoint}"}++;
	$wrong{"$vendor: $_"}++ for @problems;
	$wrong{"$vendor $request->{method} $request->{path}: status $request->{status}"}++ if $request->{status} >= 400;
}
cmp_ok(scalar @requests, '>', 50, scalar(@requests) . ' requests were made');
is(join("\n", sort keys %wrong), '', 'all of them valid, and none refused');

# What a user may cause was caused.
my @expected = ('zendesk POST oauth/tokens', map({ "zendesk GET api/v2/$_" } qw(tickets/count incremental/tickets/cursor incremental/users/cursor tickets/show_many tickets ticket_fields custom_statuses)), 'zendesk POST api/v2/tickets', 'zendesk PUT api/v2/tickets/:id',
	map({ "clickup GET api/v2/$_" } qw(team team/:team_id/space space/:space_id/folder space/:space_id/list folder/:folder_id/list list/:list_id list/:list_id/field list/:list_id/task team/:team_id/task task/:task_id)),
	'clickup POST api/v2/list/:list_id/task', 'clickup PUT api/v2/task/:task_id', map({ "clickup $_ api/v2/task/:task_id/field/:field_id" } qw(POST DELETE)), map { "clickup $_ api/v2/task/:task_id/tag/:tag" } qw(POST DELETE));
is(join(', ', grep { !$seen{$_} } @expected), '', 'every operation was used') or diag explain \%seen;

$node->stop;
done_testing();
