# Tokens of HaloPSA: one for all calls that wait, fetched anew when it ends amid
# many calls, kept before it is used; what a refused client and a lasting 401
# lead to.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 200, '--halopsa-leads', 0, '--halopsa-plan', 'none');
my $node = new_node('main', conf => "log_statement = none\nrestart_after_crash = on");
$node->start;
setup_zcsync($node, 'postgres');
wait_for_worker($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
sub waits { return wait_until($node, 'postgres', @_); }
sub requests { return @{ $simulator->get('requests', vendor => 'halopsa', limit => 100000, @_)->{requests} }; }
sub tokens_asked { return scalar grep { $_->{path} =~ m{/auth/token} } requests(); }
sub last_request { my ($last) = sort { $b <=> $a } map { $_->{seq} } requests(); return $last; }
sub troubles
{
	return value(q{SELECT concat_ws(' ', (SELECT count(*) FROM zcsync.dead_letters), (SELECT count(*) FROM zcsync.sync_records WHERE status = 'failed'),
		(SELECT count(*) FROM zcsync.sync_queue WHERE failures > 0), (SELECT count(*) FROM zcsync.alerts WHERE resolved_at IS NULL),
		(SELECT state FROM zcsync.accounts))});
}
my $sealed = q{SELECT md5(sealed) FROM zcsync.credentials WHERE name = 'access_token'};
my $all = q{SELECT count(job_id) FROM zcsync.sync_tickets(ARRAY(SELECT 'psa/tickets/' || remote_id FROM zcsync.tickets))};
my $idle = q{SELECT NOT EXISTS (SELECT FROM zcsync.sync_queue)};

# The secret has characters that a form must not hold as they are.
value(sprintf q{SELECT zcsync.add_account('psa', 'halopsa',
	'{"base_url": "%s/api/", "auth_url": "%1$s/auth/", "tenant": "acme",
		"budgets": {"api": {"calls": 1000000, "window_s": 1, "concurrency": 50}, "token": {"calls": 1000}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "all:standard read:tickets"}')}, $simulator->halopsa);
value('UPDATE zcsync.queues SET concurrency = 50');
value(q{SELECT count(*) FROM zcsync.add_stream('psa', 'tickets', since => '2020-01-01', pull_interval => '1 second')});
waits(q{SELECT history_state = 'done' FROM zcsync.streams}, 'all is read');
value(q{SELECT count(*) FROM zcsync.alter_stream('psa/tickets', pull_interval => '1 day'); UPDATE zcsync.streams SET next_pull_at = now() + interval '1 day'});
waits($idle, 'and nothing left to do');
is(value('SELECT count(*) FROM zcsync.tickets'), 200, 'all tickets are there');
is(tokens_asked(), 1, 'one token for all calls');
like(value(q{SELECT extract(epoch FROM expires_at - updated_at)::int FROM zcsync.credentials WHERE name = 'access_token'}),
	qr/^3[23]\d\d$/, 'of an hour, less its end');

# The token ends while fifty calls are on the wire and more wait.
my $before = last_request();
$simulator->post('faults', { vendor => 'halopsa', path => '/api/Tickets/\d+', fault => 'delay', delay_ms => 100, count => 0 });
is(value($all), 200, 'two hundred tickets are to be read');
waits(q{SELECT in_flight >= 50 FROM zcsync._worker_slots() WHERE role = 'worker' AND database = (SELECT oid FROM pg_database WHERE datname = 'postgres')}, 'fifty at a time');
$simulator->post('expire_tokens', { vendor => 'halopsa' });
waits($idle, 'all come to an end');
my @refused = grep { $_->{status} == 401 } requests(since => $before);
cmp_ok(scalar @refused, '>', 0, 'calls were refused: ' . @refused);
cmp_ok(scalar @refused, '<=', 50, 'no more than were on the wire');
is(tokens_asked(), 2, 'one request for another token');
is(troubles(), '0 0 0 0 active', 'no job failed, nobody is bothered');
is(scalar(grep { $_->{path} =~ m{/api/Tickets/\d+} && $_->{status} == 200 } requests(since => $before)),
	200, 'each ticket was read once');
$simulator->no_faults;

# What is used is kept: a crash loses no token.
my $first = value($sealed);
$simulator->post('expire_tokens', { vendor => 'halopsa' });
$before = last_request();
$simulator->post('faults', { vendor => 'halopsa', path => '/api/Tickets/\d+', fault => 'hang', skip => 1, count => 0 });
value(q{SELECT zcsync.sync_ticket('psa/tickets/' || min(remote_id)) FROM zcsync.tickets});
my $tries = 4 * $PostgreSQL::Test::Utils::timeout_default;
until (grep { $_->{path} =~ m{/auth/token} } requests(since => $before)) { die 'no token is asked for' if $tries-- == 0; select undef, undef, undef, 0.25; }
waits(q{SELECT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'fetch' AND state = 'running' AND attempts = 2)}, 'the call is made again');
isnt(value($sealed), $first, 'after its token was sealed and committed');
$simulator->no_faults;
kill_process($node, worker_pid($node, 'postgres'));
wait_for_worker($node, 'postgres', 'a new worker');
waits($idle, 'goes on');
is(tokens_asked(), 3, 'with the token of the old one');
is(troubles(), '0 0 0 0 active', 'without a failure');

# A token that ends by our clock is replaced before it is refused.
$before = last_request();
value(q{UPDATE zcsync.credentials SET expires_at = now() - interval '1 second' WHERE name = 'access_token'; UPDATE zcsync.accounts SET version = version + 1});
value($all);
waits($idle, 'with an old token');
is(scalar(grep { $_->{status} == 401 } requests(since => $before)), 0, 'no call is refused');
is(tokens_asked(), 4, 'since a new one came first');

# A 401 that a fresh token does not cure stops the account, once.
my $asked = tokens_asked();
$simulator->post('faults', { vendor => 'halopsa', path => '/api/', fault => 'status', status => 401, body => { error => 'invalid_token' }, count => 0 });
value($all);
waits(q{SELECT state = 'blocked' FROM zcsync.accounts}, 'refusals that go on block the account');
cmp_ok(tokens_asked() - $asked, '<=', 3, 'without asking for token after token');
is(value(q{SELECT code || ' ' || object FROM zcsync.alerts WHERE resolved_at IS NULL}), 'credentials_refused psa', 'with one alert');
is(value('SELECT count(*) FROM zcsync.dead_letters'), 0, 'and no job died of it');
$simulator->no_faults;
value(q{SELECT zcsync.resume_account('psa')});
waits($idle, 'all is made up for');

# A client that is refused.
value(q{SELECT zcsync.set_credentials('psa', '{"client_id": "client-acme", "client_secret": "secret&acme=1 + more"}')});
value($all);
waits(q{SELECT state = 'blocked' FROM zcsync.accounts}, 'a refused client blocks the account');
like(value('SELECT state_reason || state_hint FROM zcsync.accounts'), qr/invalid_client.*application.*set_credentials/, 'and says what to do');
unlike(value('SELECT state_reason || state_hint FROM zcsync.accounts'), qr/secret&acme/, 'without the secret');
value(q{SELECT zcsync.set_credentials('psa', '{"client_id": "client-acme", "client_secret": "secret-acme"}')});
waits($idle, 'the right one lets it work');
is(troubles(), '0 0 0 0 active', 'as if nothing had been');

$node->stop;
done_testing();
