# What HaloPSA does that its documents do not say, as the simulator does it: pages
# shorter than was asked for, scopes that lack something, custom fields that are
# not there.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 130, '--halopsa-leads', 0, '--halopsa-plan', 'none');
my $node = new_node('main', conf => "zcsync.databases = ''\njit = off\n");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }

# Let the worker work until nothing is left that could be sent now.
sub work
{
	for (1 .. $_[0] // 20)
	{
		value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready'; UPDATE zcsync.account_budgets SET tokens = 1000, paused_until = NULL});
		run_worker($node, 'postgres', '20 s');
		last if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation <> 'pull'}) == 0;
	}
}

# ---------------------------------------------------------------------
# Pages of 40 records, though a hundred are asked for
# ---------------------------------------------------------------------
$simulator->post('settings', { vendor => 'halopsa', page_cap => 40 });
value(sprintf q{SELECT zcsync.add_account('psa', 'halopsa', settings => '{"host": "acme.example", "base_url": "%1$s/api", "auth_url": "%1$s/auth", "budgets": {"api": {"calls": 100000, "window_s": 300}}}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read:tickets edit:tickets"}')}, $simulator->halopsa);
value(q{SELECT zcsync.add_stream('psa', 'tickets', since => '2000-01-01', scope => '{"details": false}')});
work();
is(value(q{SELECT count(*) FROM zcsync.tickets}), 130, 'all tickets are read, page by page');

# A look-up, too, goes on to the page that has the record.
$simulator->post('settings', { vendor => 'halopsa', page_cap => 2 });
value(q{SELECT zcsync.alter_stream('psa/tickets', writes => true)});
value(q{INSERT INTO zcsync.tickets (account_id, subject, description, form_id, organization_id) VALUES (zcsync.account('psa'), 'Looked up', 'x', '1', '12')});
$simulator->post('faults', { vendor => 'halopsa', fault => 'reset_after', method => 'POST', path => '/Tickets' });
run_worker($node, 'postgres', '3 s');
is(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE unclear_since IS NOT NULL}), 1, 'a create whose reply was lost');
$simulator->post('create', { vendor => 'halopsa', kind => 'ticket', fields => { summary => "Later $_" } }) foreach 1 .. 7;
value(q{UPDATE zcsync.accounts SET breaker_until = NULL, breaker_failures = 0, breaker_opened_at = NULL});
work();
is(value(q{SELECT sync_state || ' ' || (remote_id IS NOT NULL) FROM zcsync.tickets WHERE subject = 'Looked up'}), 'synced true', 'is looked up');
is($simulator->get('stats')->{duplicates}{halopsa}{marker}{duplicates} // 0, 0, 'and not made twice');
$simulator->post('settings', { vendor => 'halopsa', page_cap => 0 });

# ---------------------------------------------------------------------
# Scopes
# ---------------------------------------------------------------------
sub scope { return value(q{SELECT string_agg(concat_ws('|', c.ok, c.message, c.hint), E'\n') FROM zcsync.check_account('psa') AS c WHERE c.item = 'scope'}); }
sub alert { return value(q{SELECT coalesce(string_agg(message, ' '), '') FROM zcsync.alerts WHERE code = 'scope_lacking' AND resolved_at IS NULL}); }
is(scope(), 't|"read:tickets edit:tickets" was granted', 'the scope is enough');
value(q{SELECT zcsync.add_stream('psa', 'companies')});
is(alert(), q{the token of account "psa" may do too little: "read:tickets edit:tickets" was granted, and "read:customers" is needed: psa/companies is read}, 'it lacks something for another stream');
like(scope(), qr/^f\|.*read:customers.*\|SELECT zcsync\.set_credentials\('psa'/, 'as check_account() says, with what to run');
like(value(q{SELECT string_agg(why || to_do, ' ') FROM zcsync.status WHERE state = 'alert'}), qr/the token of account "psa" ma.*zcsync\.alerts/, 'and status');
value(q{SELECT zcsync.set_credentials('psa', '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "all"}')});
is(alert(), '', 'other credentials: it is not known what they may do');
is(scope(), 't|"all" was granted', 'until there is a token: all');
value(q{SELECT zcsync.remove_stream('psa/companies')});

# ---------------------------------------------------------------------
# Custom fields, without a stream of fields
# ---------------------------------------------------------------------
is(value(q{SELECT count(*) FROM zcsync.fields}), 0, 'no field is known');
value(q{UPDATE zcsync.tickets SET custom_fields = custom_fields || '{"99999": "x"}', priority = '2' WHERE subject = 'Looked up'});
work();
like(value(q{SELECT message FROM zcsync.dead_letters ORDER BY job_id DESC LIMIT 1}), qr/cannot be sent to HaloPSA: there is no custom field "99999"/, 'one that is not there is refused');
cmp_ok(value(q{SELECT count(*) FROM zcsync.fields WHERE scope_id = 'custom'}), '>', 2, 'after the fields were read');
my @reads = grep { $_->{path} =~ /FieldInfo/ } @{ $simulator->get('requests', vendor => 'halopsa', limit => 100000)->{requests} };
is(scalar @reads, 1, 'once');
my ($field) = split /\n/, value(q{SELECT remote_id FROM zcsync.fields WHERE scope_id = 'custom' AND type = 'text' ORDER BY remote_id LIMIT 1});
value(qq{UPDATE zcsync.tickets SET custom_fields = '{"$field": "17"}' WHERE subject = 'Looked up'});
work();
is(value(q{SELECT sync_state FROM zcsync.tickets WHERE subject = 'Looked up'}), 'synced', 'a field that is there is sent');
@reads = grep { $_->{path} =~ /FieldInfo/ } @{ $simulator->get('requests', vendor => 'halopsa', limit => 100000)->{requests} };
is(scalar @reads, 1, 'without reading them again');

$node->stop;
done_testing();
