# What Zendesk does that its plain documents do not say, as the simulator does it:
# limits that only replies name.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 40, '--tasks', 0, '--zendesk-plan', 'sandbox');
my $node = new_node('main', conf => "zcsync.databases = ''\njit = off\n");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }

# Let the worker work until nothing is left that could be sent now.
sub work
{
	for (1 .. $_[0] // 10)
	{
		value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready'});
		run_worker($node, 'postgres', '20 s');
		last if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation <> 'pull'}) == 0;
	}
}

value(sprintf q{SELECT zcsync.add_account('acme', 'zendesk', settings => '{"subdomain": "acme", "base_url": "%s", "plan": "enterprise"}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}')}, $simulator->zendesk);
value(q{SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01');
	SELECT zcsync.alter_stream('acme/tickets', writes => true)});
work();
is(value(q{SELECT count(*) FROM zcsync.tickets}), 40, 'tickets are here');

# ---------------------------------------------------------------------
# Limits
# ---------------------------------------------------------------------
my $budget = q{SELECT concat_ws(' ', b.calls, b.lowered_from, b.remote_limit, b.remote_remaining) FROM zcsync.account_budgets b WHERE b.class =};
is(value("$budget 'write'"), '100', 'changes of tickets: as many as usual');
value(q{UPDATE zcsync.tickets SET priority = 'urgent' WHERE remote_id IN (SELECT t.remote_id FROM zcsync.tickets t WHERE t.status = 'open' AND t.priority <> 'urgent' ORDER BY t.local_id LIMIT 3)});
work();
is(value("$budget 'write'"), '20 100 20 17', 'a sandbox allows fewer, as its replies say');
like(value("$budget 'api'"), qr/^700 700 \d+$/, 'which is not the limit of all calls');

$node->stop;
done_testing();
