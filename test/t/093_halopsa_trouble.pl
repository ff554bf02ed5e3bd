# What goes wrong with calls that carry many records, at a simulated HaloPSA:
# nobody pays for what another did, and nothing is made twice.

use strict;
use warnings;

use Mojo::JSON qw(decode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 3, '--halopsa-leads', 3, '--halopsa-plan', 'none', '--keep-requests', 20000);
my $node = new_node('main', conf => "zcsync.databases = ''\nzcsync.bulk_write_limit = 100000\njit = off\n");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
# One run of the worker, with what waits for a time due; breaker and pauses stay.
sub round
{
	value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready'; UPDATE zcsync.account_budgets SET tokens = 1000});
	run_worker($node, 'postgres', '20 s');
}
sub calm { value(q{UPDATE zcsync.accounts SET breaker_until = NULL, breaker_failures = 0, breaker_opened_at = NULL; UPDATE zcsync.account_budgets SET paused_until = NULL, guessed_at = NULL}); }
sub waiting { return value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation <> 'pull'}); }
sub work { for (1 .. $_[0] // 12) { calm(); round(); last if waiting() == 0; } }
sub clean { $simulator->no_faults; value(q{DELETE FROM zcsync.sync_queue WHERE operation = 'push'; DELETE FROM zcsync.dead_letters}); calm(); requests(); }
my $seen = 0;
sub requests
{
	my @all = grep { $_->{seq} > $seen } @{ $simulator->get('requests', vendor => 'halopsa', limit => 1000000)->{requests} };

	$seen = $all[-1]{seq} if @all;
	return @all;
}
sub posts { return grep { $_->{method} eq 'POST' && $_->{path} =~ m{/api/} } @_; }
sub lookups { return grep { $_->{method} eq 'GET' && $_->{query} =~ /orderdesc=true/ } @_; }
sub there { my ($pattern) = @_; return scalar grep { $_->{summary} =~ /$pattern/ } @{ $simulator->get('state/halopsa/opportunities', limit => 100000)->{opportunities} }; }
sub insert { my ($n, $name, $status) = @_; return value(sprintf "INSERT INTO zcsync.leads (account_id, summary, first_name, last_name, type_id, status) SELECT zcsync.account('halo'), '%s ' || i, 'Ann', 'Lead' || i, '40', %s FROM generate_series(1, %d) i", $name, $status // 'NULL', $n); }
sub synced { my ($name) = @_; return value("SELECT count(*) FROM zcsync.leads WHERE summary LIKE '$name %' AND sync_state = 'synced' AND remote_id IS NOT NULL"); }
sub dead { return value(q{SELECT coalesce(string_agg(DISTINCT concat_ws('|', d.class, d.status, d.message), E'\n'), '') FROM zcsync.dead_letters d}); }
sub breaker { return value(q{SELECT breaker_failures || CASE WHEN breaker_until > now() THEN ' open' ELSE '' END FROM zcsync.accounts}); }

value(sprintf q{SELECT zcsync.add_account('halo', 'halopsa', settings => '{"base_url": "%s", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme"}')}, $simulator->halopsa);
value(q{SELECT zcsync.add_stream('halo', 'leads', since => '2000-01-01');
	SELECT zcsync.alter_stream('halo/leads', writes => true)});
work();
is(value('SELECT count(*) FROM zcsync.leads'), 3, 'opportunities are read');
requests();

# ---------------------------------------------------------------------
# The breaker counts calls
# ---------------------------------------------------------------------
# no read between, which would be answered
value(q{UPDATE zcsync.streams SET next_pull_at = now() + interval '1 hour'; DELETE FROM zcsync.sync_queue});
$simulator->post('faults', { vendor => 'halopsa', method => 'POST', path => '/Opportunities', fault => 'unavailable', count => 0 });
insert(50, 'Breaker');
for (1 .. 20)
{
	run_worker($node, 'postgres', '1 s');
	last if breaker() ne '0';
}
my $failed = posts(requests());
cmp_ok($failed, '>', 0, 'writes are refused for a while');
is(value('SELECT breaker_failures FROM zcsync.accounts'), $failed, 'a call with 50 records that fails is one failure');
$simulator->no_faults;
value('UPDATE zcsync.streams SET next_pull_at = now()');
work();
is(synced('Breaker'), 50, 'all are synced later');
clean();

# ---------------------------------------------------------------------
# One that makes HaloPSA break down, among 20
# ---------------------------------------------------------------------
$simulator->post('faults', { vendor => 'halopsa', method => 'POST', path => '/Opportunities', match_body => 'Poison', fault => 'status', status => 500, body => { ClassName => 'System.InvalidCastException', Message => 'Conversion failed' }, count => 0 });
insert(19, 'Beside');
insert(1, 'Poison');
work(15);
is(synced('Beside'), 19, 'one record at which HaloPSA breaks down keeps no other');
is(there('^Beside'), 19, 'each once');
clean();

# ---------------------------------------------------------------------
# What is never sent costs nothing
# ---------------------------------------------------------------------
my $before = value(q{SELECT calls_total FROM zcsync.account_budgets WHERE class = 'api'});
insert(30, 'Refused', "'Won'");
insert(5, 'Sent');
round() for 1 .. 4;
is(synced('Sent'), 5, 'refused rows keep no other');
is(value(qq{SELECT calls_total - $before FROM zcsync.account_budgets WHERE class = 'api'}), scalar(grep { $_->{path} =~ m{/api/} } requests()), 'a row that is refused here takes nothing of the budget');
clean();

value(q{UPDATE zcsync.streams SET next_pull_at = now() + interval '1 hour'; DELETE FROM zcsync.sync_queue;
	UPDATE zcsync.accounts SET breaker_failures = 5, breaker_opened_at = now(), breaker_until = now() - interval '1 s'});
insert(1, 'Refused again', "'Won'");
run_worker($node, 'postgres', '5 s');
is(breaker() =~ /^[5-9]/ ? 'open' : breaker(), 'open', 'and is no answer of the vendor');
value('UPDATE zcsync.streams SET next_pull_at = now()');
clean();

# What a ticket type requires is known from the catalogue.
value(q{SELECT count(*) FROM zcsync.discover('halo')});
requests();
value(q{INSERT INTO zcsync.leads (account_id, summary, type_id, company, last_name)
	SELECT zcsync.account('halo'), 'Nameless ' || i, '40', 'Example', CASE WHEN i > 30 THEN 'Lead' || i END FROM generate_series(1, 40) i});
round() for 1 .. 4;
is(synced('Nameless'), 10, 'rows without a required field keep no other');
is(scalar(posts(requests())), 1, 'and are not sent');
is(dead(), 'rejected|cannot be sent to HaloPSA: required field "oppcontactname" (last_name) is empty', 'but say which it is');
is(value(q{SELECT count(*) FROM zcsync.errors WHERE message LIKE '%oppcontactname%' AND hint LIKE '%ticket type%'}), 30, 'each of them');
clean();

# ---------------------------------------------------------------------
# Refusals of a call with many
# ---------------------------------------------------------------------
$simulator->post('faults', { vendor => 'halopsa', method => 'POST', path => '/Opportunities', fault => 'rate_limit', retry_after => undef, count => 2 });
insert(10, 'Throttled');
run_worker($node, 'postgres', '3 s');
is(value(q{SELECT round(extract(epoch FROM paused_until - now()) / 20) FROM zcsync.account_budgets WHERE class = 'api'}), 3, 'a 429 that does not say how long: a minute');
value(q{UPDATE zcsync.account_budgets SET paused_until = NULL});
round();
is(value(q{SELECT round(extract(epoch FROM paused_until - now()) / 20) FROM zcsync.account_budgets WHERE class = 'api'}), 6, 'the second in a row: two');
work();
is(synced('Throttled'), 10, 'all are synced');
clean();

$simulator->post('faults', [ { vendor => 'halopsa', method => 'POST', path => '/Opportunities', fault => 'reset_after', count => 1 },
	{ vendor => 'halopsa', method => 'GET', path => 'orderdesc=true', fault => 'status', status => 403, body => { message => 'no' }, count => 2 } ]);
insert(60, 'Looked');
work(8);
is(synced('Looked'), 60, 'a look-up that is refused is made again');
is(there('^Looked'), 60, 'each is there once');
is(scalar(lookups(requests())), 3, 'look-ups that are refused stay together');
clean();

# ---------------------------------------------------------------------
# Refusals for want of a right, which are nobody's fault among those that travel
# ---------------------------------------------------------------------
sub held { return value(q{SELECT count(*) FROM zcsync.sync_queue WHERE state = 'held'}); }
sub alerts { return value(q{SELECT coalesce(string_agg(concat_ws('|', code, object, severity, message, hint), E'\n'), '') FROM zcsync.alerts WHERE resolved_at IS NULL}); }
my $forbidden = { vendor => 'halopsa', method => 'POST', path => '/Opportunities', fault => 'status', status => 403, body => { message => 'You do not have permission to do this.' }, count => 0 };
$simulator->post('faults', $forbidden);
insert(100, 'Forbidden');
run_worker($node, 'postgres', '5 s');
run_worker($node, 'postgres', '5 s');
my @refused = requests();
cmp_ok(scalar(posts(@refused)), '<=', 3, 'a missing right: ' . posts(@refused) . ' calls that write');
cmp_ok(scalar(@refused), '<=', 8, 'and ' . @refused . ' in all');
is(held(), 100, 'all wait for a person');
is(dead(), '', 'none is lost');
like(alerts(), qr/\Awrite_refused\|halo\/leads\|critical\|halopsa refuses to write leads of account "halo": You do not have permission to do this\.\|.*permission.*release_held\('halo'\);\z/, 'who is told once');
insert(100, 'Later');
run_worker($node, 'postgres', '5 s');
is(scalar(posts(requests())), 1, 'what is written meanwhile costs a call and waits');
is(held(), 200, 'too');
$simulator->no_faults;
value(q{UPDATE zcsync.leads SET phone = '1' WHERE summary = 'Forbidden 1'});
is(value(q{SELECT zcsync.release_held('halo')}), 200, 'released');
is(alerts(), '', 'which ends the alert');
work();
is(synced('Forbidden') + synced('Later'), 200, 'all are synced then');
is(there('^(Forbidden|Later)'), 200, 'each once');
clean();

$simulator->post('faults', { %$forbidden, match_body => 'Guarded 1"' });
insert(40, 'Guarded');
work(20);
is(synced('Guarded'), 39, 'one record that may not be written keeps no other');
is(there('^Guarded'), 39, 'each once');
is(dead(), 'rejected|403|You do not have permission to do this.', 'it is a dead letter');
is(held() . alerts(), '0', 'nothing is held, and nobody told');
clean();

$simulator->post('faults', { %$forbidden, status => 401 });
insert(100, 'Unauthorised');
round() for 1 .. 8;
cmp_ok(scalar(posts(@refused = requests())), '<=', 6, 'a 401 that is not about the token: ' . posts(@refused) . ' calls that write');
is(value(q{SELECT count(*) FROM zcsync.dead_letters WHERE class = 'auth'}), 100, 'are rejected');
$simulator->no_faults;
value('SELECT zcsync.retry(d.job_id) FROM zcsync.dead_letters d');
work();
is(synced('Unauthorised'), 100, 'and can be sent again');
is(there('^Unauthorised'), 100, 'each once');
clean();

# ---------------------------------------------------------------------
# Look-ups that do not tell
# ---------------------------------------------------------------------
sub lost
{
	my ($name, $n, @faults) = @_;

	$simulator->post('faults', [ { vendor => 'halopsa', method => 'POST', path => '/Opportunities', fault => 'reset_after', count => 1 }, @faults ]);
	insert($n, $name);
	round();
}
my $look = { vendor => 'halopsa', method => 'GET', path => 'orderdesc=true', fault => 'status', status => 200, count => 1 };
lost('Message', 5, { %$look, body => { message => '[E12] not now' } });
work();
is(there('^Message'), 5, 'a look-up that brings a message and no list: nothing is made twice');
is(synced('Message'), 5, 'all are synced');
clean();
lost('Nothing', 5, { %$look, body => { record_count => 0, tickets => [] } });
work();
is(there('^Nothing'), 5, 'one that brings an empty list where there are records');
is(synced('Nothing'), 5, 'all are synced');
clean();

$simulator->post('settings', { vendor => 'halopsa', marks => 0 });
insert(20, 'Unmarked');
work();
is(there('^Unmarked'), 20, 'HaloPSA does not show our mark: nothing is made twice');
is(synced('Unmarked'), 20, 'all are synced');
is(value(q{SELECT count(DISTINCT remote_id) FROM zcsync.leads l WHERE summary LIKE 'Unmarked %' AND remote ->> 'summary' = summary}), 20, 'each with its own record');
lost('Unseen', 20);
work(20);
is(there('^Unseen'), 20, 'nor where the reply got lost');
$simulator->post('settings', { vendor => 'halopsa', marks => 1 });
value('SELECT zcsync.retry(d.job_id) FROM zcsync.dead_letters d');
work();
is(synced('Unseen'), 20, 'all are synced once it does');
is(there('^Unseen'), 20, 'each once');
clean();

# others write meanwhile, with times of long ago
lost('Import', 150);
$simulator->post('create', { vendor => 'halopsa', fields => { summary => "old $_", tickettype_id => 40, dateoccurred => '2020-01-01T00:00:00Z' } }) for 1 .. 110;
work();
is(there('^Import'), 150, 'an import of old records by somebody else: nothing is made twice');
is(synced('Import'), 150, 'all are synced');
clean();

is(log_lines($node, 'PANIC|FATAL|ERROR|zcsync could not'), 0, 'no error in the log');
$node->stop;
done_testing();
