# The daily comparison of all ids with HaloPSA: what was missed is read, what is
# gone is looked up before it is marked, and a list that lacks too much is not
# believed.  And what HaloPSA says of its limits.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 260, '--halopsa-leads', 6, '--halopsa-plan', 'none');
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
sub control { my ($what, %arguments) = @_; return $simulator->post($what, { vendor => 'halopsa', %arguments }); }
sub run_once { return run_worker($node, 'postgres', '60 s'); }
sub requests { return @{ $simulator->get('requests', vendor => 'halopsa', limit => 100000, @_)->{requests} }; }
sub last_request { my ($last) = sort { $b <=> $a } map { $_->{seq} } requests(); return $last // 0; }
sub pull { my ($kind) = @_; value("SELECT zcsync.refresh('psa/$kind')"); return run_once(); }
sub compare { my ($kind) = @_; value("SELECT zcsync.compare('psa/$kind')"); return run_once(); }
sub gone { my ($kind) = @_; return value("SELECT coalesce(string_agg(remote_id, ',' ORDER BY remote_id), 'none') FROM zcsync.$kind WHERE deleted_at IS NOT NULL"); }
my $alerts = q{SELECT coalesce(string_agg(code || ' ' || object, ', ' ORDER BY code), 'none') FROM zcsync.alerts WHERE resolved_at IS NULL};

value(sprintf q{SELECT zcsync.add_account('psa', 'halopsa', '{"base_url": "%s", "budgets": {"api": {"calls": 100000, "window_s": 1}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme"}')}, $simulator->halopsa);
value('UPDATE zcsync.queues SET concurrency = 10');
value(qq{SELECT count(*) FROM zcsync.add_stream('psa', '$_', since => '2000-01-01', pull_interval => '1 second')}) for qw(tickets leads contacts companies);
for (1 .. 10)
{
	last if value(q{SELECT count(*) FROM zcsync.streams WHERE history_state = 'running'}) == 0;
	$node->poll_query_until('postgres', q{SELECT bool_and(next_pull_at <= now()) FROM zcsync.streams WHERE history_state = 'running'}) or die 'no history is due';
	run_once();
}
is(value(q{SELECT string_agg(kind || ' ' || history_state, ', ' ORDER BY kind) FROM zcsync.streams}),
	'companies done, contacts done, leads done, tickets done', 'all is read');
value(q{SELECT zcsync.alter_stream('psa/' || kind, pull_interval => '1 day') FROM zcsync.streams; UPDATE zcsync.streams SET next_pull_at = now() + interval '1 day'});
my @ids = split /\n/, value('SELECT remote_id FROM zcsync.tickets ORDER BY remote_id::bigint');
is(scalar @ids, 260, 'with its tickets');

# ------------------------------------------------------------ deleted there

my $before = last_request();
compare('tickets');
is(scalar(grep { $_->{query} =~ m{ticketidonly=true} } requests(since => $before)), 1, 'all ids in one list');
is(scalar(grep { $_->{path} =~ m{/api/Tickets/\d} } requests(since => $before)), 0, 'and nothing to look up');
control('delete', id => $ids[10], permanent => 1);
control('delete', id => $ids[20]);
compare('tickets');
is(gone('tickets'), join(',', sort @ids[ 10, 20 ]), 'what was deleted is marked');
is(value(qq{SELECT subject IS NOT NULL AND remote IS NOT NULL FROM zcsync.tickets WHERE remote_id = '$ids[10]'}), 't', 'and keeps what it had');
is(value(qq{SELECT action FROM zcsync.changes WHERE kind = 'tickets' AND new ? 'deleted_at' AND local_id = (SELECT local_id FROM zcsync.tickets WHERE remote_id = '$ids[10]')}) ne '' ? 1 : 0,
	1, 'its history says so');
control('delete', kind => 'user', id => value('SELECT max(remote_id::bigint) FROM zcsync.contacts'));
compare('contacts');
is(gone('contacts'), value('SELECT max(remote_id::bigint) FROM zcsync.contacts'), 'a user');
my $site = value(q{SELECT max(substr(remote_id, 6)::bigint) FROM zcsync.companies WHERE type = 'site'});
control('delete', kind => 'site', id => $site);
compare('companies');
is(gone('companies'), "site-$site", 'a site');
my $lead = value('SELECT max(remote_id::bigint) FROM zcsync.leads');
control('delete', id => $lead, permanent => 1);
compare('leads');
is(gone('leads'), $lead, 'an opportunity');

# ------------------------------------------------------------ missing in the list only

# A list that lacks a ticket which is there: nothing is lost.
$before = last_request();
value(q{CREATE TABLE kept AS SELECT local_id, xmin::text AS version FROM zcsync.tickets});
$simulator->post('faults', { vendor => 'halopsa', path => 'ticketidonly=true', fault => 'status', status => 200, count => 1,
	body => { record_count => 257, tickets => [ map { { id => $_ } } grep { $_ != $ids[30] && $_ != $ids[10] && $_ != $ids[20] } @ids ] } });
compare('tickets');
is(join(',', map { m{/api/Tickets/(\d+)} ? $1 : () } map { $_->{path} } requests(since => $before)), $ids[30], 'a ticket that the list lacks is looked up');
is(gone('tickets'), join(',', sort @ids[ 10, 20 ]), 'and stays');
is(value('SELECT count(*) FROM kept JOIN zcsync.tickets t USING (local_id) WHERE t.xmin::text <> version'), 0, 'no row was written for that');

# Nor by a single 404, which an agent also gets who lost sight of a team.
$simulator->post('faults', { vendor => 'halopsa', path => "/api/Tickets/$ids[30]", fault => 'status', status => 404, count => 0, body => { message => 'Ticket not found' } });
value(qq{SELECT zcsync.sync_ticket('psa/tickets/$ids[30]')});
for (1 .. 10)
{
	run_worker($node, 'postgres', '5 s');
	last if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'fetch'}) == 0;
	value(q{UPDATE zcsync.sync_queue SET run_at = now()});
}
is(value(qq{SELECT class || ' ' || message FROM zcsync.dead_letters WHERE operation = 'fetch'}), 'not_found Ticket not found', 'a record that is not found when somebody asks for it: they are told');
is(gone('tickets'), join(',', sort @ids[ 10, 20 ]), 'and its row stays');
$simulator->no_faults;

# What comes back is back.
value(qq{SET session_replication_role = replica; UPDATE zcsync.tickets SET deleted_at = now() WHERE remote_id = '$ids[31]'});
compare('tickets');
is(gone('tickets'), join(',', sort @ids[ 10, 20 ]), 'a record that the list shows is not deleted');

# A list that is cut off is read in pages.
$before = last_request();
$simulator->post('faults', { vendor => 'halopsa', path => 'ticketidonly=true.*count=|count=.*ticketidonly=true', fault => 'status', status => 200, count => 1,
	body => { record_count => 258, tickets => [ map { { id => $_ } } @ids[ 0 .. 49 ] ] } });
compare('tickets');
is(scalar(grep { $_->{query} =~ m{ticketidonly=true} } requests(since => $before)), 4, 'a list that was cut off is read in pages');
is(gone('tickets'), join(',', sort @ids[ 10, 20 ]), 'and proves nothing');
is(value($alerts), 'none', 'and nobody is bothered');

# An empty list: a permission was lost.
$before = last_request();
$simulator->post('faults', { vendor => 'halopsa', path => 'ticketidonly=true', fault => 'status', status => 200, count => 0, body => { record_count => 0, tickets => [] } });
compare('tickets');
is(value($alerts), 'records_missing psa/tickets', 'a list that lacks everything raises an alert');
is(scalar(grep { $_->{path} =~ m{/api/Tickets/\d} } requests(since => $before)), 0, 'and looks nothing up');
is(gone('tickets'), join(',', sort @ids[ 10, 20 ]), 'and marks nothing');
$simulator->no_faults;
compare('tickets');
is(value($alerts), 'none', 'until the next good one');

# Many really are gone.
control('delete', id => $_, permanent => 1) for @ids[ 40 .. 69 ];
compare('tickets');
is(value($alerts), 'records_missing psa/tickets', 'thirty at once are too many, too');
is(gone('tickets'), join(',', sort @ids[ 10, 20 ]), 'and are not looked up');
value(q{SELECT zcsync.alter_account('psa', '{"reconcile_limit": 30}')});
compare('tickets');
is(gone('tickets'), join(',', sort @ids[ 10, 20, 40 .. 69 ]), 'unless somebody says so');
is(value($alerts), 'none', 'which ends the alert');

# A 404 that is a web page comes from somebody on the way.
control('delete', id => $ids[80], permanent => 1);
control('settings', error_format => 'html');
compare('tickets');
is(value("SELECT deleted_at IS NULL FROM zcsync.tickets WHERE remote_id = '$ids[80]'"), 't', 'a web page with 404 deletes nothing');
control('settings', error_format => 'mixed');

# ------------------------------------------------------------ missed here

# Rows that are not here although they were created since the beginning.
my $new = control('create', fields => { summary => 'Missed' })->{id};
run_once();
value(qq{SET session_replication_role = replica; DELETE FROM zcsync.tickets WHERE remote_id IN ('$new', '$ids[100]')});
value(q{UPDATE zcsync.streams SET live_cursor = live_cursor || jsonb_build_object('from', now() + interval '1 hour') WHERE kind = 'tickets'});
compare('tickets');
is(value(qq{SELECT count(*) FROM zcsync.tickets WHERE remote_id IN ('$new', '$ids[100]')}), 2, 'what the mirror lacks is read');

# Once a day by itself.
$before = last_request();
value(q{UPDATE zcsync.streams SET next_pull_at = now() WHERE kind = 'tickets'});
run_once();
is(scalar(grep { $_->{query} =~ m{ticketidonly=true} } requests(since => $before)), 0, 'not with each reading');
value(q{UPDATE zcsync.streams SET next_pull_at = now(), compared_at = now() - interval '25 hours' WHERE kind = 'tickets'});
run_once();
is(scalar(grep { $_->{query} =~ m{ticketidonly=true} } requests(since => $before)), 1, 'but after a day');

# A stream without a history does not read the past.
value(q{SELECT zcsync.remove_stream('psa/leads'); SET session_replication_role = replica; DELETE FROM zcsync.leads; RESET session_replication_role; SELECT count(*) FROM zcsync.add_stream('psa', 'leads', pull_interval => '1 day')});
run_once();
compare('leads');
is(value('SELECT count(*) FROM zcsync.leads'), 0, 'a stream without history leaves old records alone');

# ------------------------------------------------------------ limits

value(q{SELECT zcsync.alter_account('psa', '{"budgets": null}')});
is(value(q{SELECT calls || ' in ' || window_s || ' s, share ' || share FROM zcsync.account_budgets WHERE class = 'api'}), '250 in 300 s, share 0.9', 'the default budget');
sub throttle
{
	my ($text, %headers) = @_;
	$simulator->no_faults;
	$simulator->post('faults', { vendor => 'halopsa', path => '/api/', fault => 'status', status => 429, body => $text, headers => { 'Content-Type' => 'text/plain', %headers }, count => 0 });
	value(q{UPDATE zcsync.account_budgets SET paused_until = NULL, tokens = 5});
	value(q{SELECT zcsync.refresh('psa/tickets')});
	run_worker($node, 'postgres', '5 s');
	return value(q{SELECT calls || ' ' || coalesce(remote_limit::text, '-') || ' ' || round(extract(epoch FROM paused_until - last_call_at) / 10) * 10 FROM zcsync.account_budgets WHERE class = 'api'});
}
is(throttle('Slow down'), '250 - 60', 'a 429 that says nothing: a minute');
is(throttle('Rate Limit Reached - 700 Requests per rolling 5 minute window'), '250 700 120', 'again: two; a limit above ours changes nothing');
is(throttle('Rate Limit Reached - 200 Requests per rolling 5 minute window'), '200 200 240', 'four; a lower limit is kept to');
is(throttle('Rate Limit Reached - 200 Requests per rolling 5 minute window'), '200 200 300', 'five, and no more');
is(throttle('Rate Limit Reached - 30 Requests per rolling 1 minute window'), '150 150 300', 'a limit a minute');
is(throttle('Rate Limit Reached - 300 Requests per rolling 5 minute window', 'Retry-After' => 20), '250 300 20', 'one that is higher is believed, too; Retry-After counts');
is(value(q{SELECT remote_limit || ' ' || (limited_by ~ '^paused') || ' ' || (throttled_total >= 6) FROM zcsync.stat_budgets WHERE class = 'api'}), '300 true true', 'as stat_budgets shows');
value(q{SELECT zcsync.alter_account('psa', '{"budgets": {"api": {"calls": 700}}}')});
is(value(q{SELECT calls FROM zcsync.account_budgets WHERE class = 'api'}), 700, 'the settings have the first word');
is(throttle('Rate Limit Reached - 200 Requests per rolling 5 minute window', 'Retry-After' => 20), '700 200 20', 'and the last');
value(q{SELECT zcsync.alter_account('psa', '{"budgets": {"api": {"window_s": 60}}}')});
is(throttle('Rate Limit Reached - 200 Requests per rolling 5 minute window', 'Retry-After' => 20), '40 40 20', 'in a window of a minute the limit of five is a fifth');
value(q{UPDATE zcsync.account_budgets SET lowered_at = lowered_at - interval '23 hours'});
is(value(q{SELECT round(zcsync._calls_a_minute(zcsync.account('psa'), 'api'))}), 29, 'it is kept to for a day');
value(q{UPDATE zcsync.account_budgets SET lowered_at = lowered_at - interval '1 hour'});
is(value(q{SELECT round(zcsync._calls_a_minute(zcsync.account('psa'), 'api'))}), 180, 'without a refusal');
$simulator->no_faults;
value(q{UPDATE zcsync.account_budgets SET paused_until = NULL; SELECT zcsync.refresh('psa/tickets')});
run_worker($node, 'postgres', '5 s');
is(value(q{SELECT calls || ' ' || coalesce(lowered_from::text, '-') FROM zcsync.account_budgets WHERE class = 'api'}), '250 -', 'and the next call writes it down');
is(value('SELECT count(*) FROM zcsync.dead_letters WHERE class <> \'not_found\''), 0, 'no job died of it');

$node->stop;
done_testing();
