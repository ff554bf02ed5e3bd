# A worker that is held up, here by a user's trigger, longer than a request may
# take: replies that came meanwhile are read before any time-out is decided.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 10, '--tasks', 5, '--zendesk-plan', 'none', '--clickup-plan', 'none');
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
my $node = new_node('main', conf => "zcsync.request_timeout = 5s\nzcsync.connect_timeout = 1s");
$simulator->post('holdback', { seconds => -1 });	# what changes is shown at once
$node->start;
setup_zcsync($node, 'postgres');
add_simulated_accounts($node, 'postgres', $simulator);
$node->safe_psql('postgres', qq(
	UPDATE zcsync.account_budgets SET calls = 100000, tokens = 10000;
	SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01', pull_interval => '1 h');
	SELECT zcsync.add_stream('dev', 'tasks', scope => '{"list_ids": ["$bugs"]}', pull_interval => '1 h');));
wait_until($node, 'postgres', "SELECT bool_and(history_state IN ('none', 'done') AND last_pull_at IS NOT NULL) FROM zcsync.streams", 'both streams are read');

# An edit that arrives while ClickUp is asked holds the worker for eight seconds;
# ClickUp answers after three, which is in time.
$node->safe_psql('postgres', q{
	CREATE TABLE held_up (job_id bigint);
	CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN
			INSERT INTO public.held_up SELECT q.job_id FROM zcsync.sync_queue q
			WHERE NEW.subject LIKE 'slow%' AND q.state = 'running' AND q.account_id = zcsync.account('dev') AND q.claimed_at > zcsync._now() - interval '2 s';
			IF FOUND THEN
				PERFORM pg_sleep(8);
			END IF;
			RETURN NULL;
		END$$;
	CREATE TRIGGER hold_up AFTER INSERT OR UPDATE ON zcsync.tickets FOR EACH ROW EXECUTE FUNCTION hold_up();});
my ($seen, $held) = (0, 0);
$simulator->post('faults', { vendor => 'clickup', fault => 'delay', delay_ms => 3000, count => 0 });
for (my $try = 1; $try <= 20 && !$held; $try++)
{
	$seen = $simulator->get('stats')->{requests};
	$simulator->post('edit', { account => 'acme', id => 3, fields => { subject => "slow $try" } });
	my $before = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
	$node->safe_psql('postgres', q{SELECT zcsync.refresh('dev/tasks'), zcsync.refresh('acme/tickets')});
	wait_until($node, 'postgres', "SELECT count(*) = 2 FROM zcsync.streams WHERE last_pull_at > '$before'", 'both are read again');
	$held = $node->safe_psql('postgres', 'SELECT count(*) FROM held_up');
}
is($held, 1, 'the worker was held up while a request was on the wire');
is($node->safe_psql('postgres', q{SELECT breaker_failures || ' ' || coalesce(last_error, 'no error') FROM zcsync.accounts WHERE name = 'dev'}),
	'0 no error', 'the reply that had come in time counts');
is(scalar @{ $simulator->get('requests', vendor => 'clickup', since => $seen, path => '/team/')->{requests} }, 1, 'and was asked for once');

# Who does not answer, or cannot be reached, is given up all the same.
$simulator->no_faults;
$simulator->post('faults', { vendor => 'clickup', fault => 'hang', count => 0 });
$node->safe_psql('postgres', q{SELECT zcsync.refresh('dev/tasks')});
wait_until($node, 'postgres', q{SELECT last_error = 'no complete reply came in time' FROM zcsync.accounts WHERE name = 'dev'}, 'no reply');
my $full = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my @callers = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Blocking => 0) } 1 .. 4;
$node->safe_psql('postgres', sprintf q{SELECT zcsync.add_account('full', 'clickup',
	settings => '{"workspace_id": "9001001", "base_url": "http://127.0.0.1:%s"}', credentials => '{"token": "pk_1_NONE"}');
	SELECT zcsync.add_stream('full', 'tasks', pull_interval => '1 s')}, $full->sockport);
wait_until($node, 'postgres', q{SELECT last_error = 'no connection could be made in time' FROM zcsync.accounts WHERE name = 'full'}, 'no connection');

$node->stop;
done_testing();
