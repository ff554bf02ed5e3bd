# zcsync declares webhooks at the simulated vendors, which send what changes through a
# door: it repairs, replaces and removes them, and no secret is anywhere in clear.

use strict;
use warnings;
use Door;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Webhooks;
use ZcsyncFlow;
use ZcsyncTest;

Door::build();
# auto_explain can write the values that statements get into the log
my $flow = ZcsyncFlow->start('main', tickets => 30, tasks => 20,
	conf => "shared_preload_libraries = 'zcsync,auto_explain'\nauto_explain.log_nested_statements = on\nauto_explain.log_verbose = on\n");
my ($node, $simulator) = ($flow->node, $flow->simulator);

sub value { return $flow->value("SET client_min_messages = error; $_[0]") }
sub hooks { my ($vendor) = @_; return @{ $simulator->get('webhooks', vendor => $vendor)->{webhooks} } }
sub settled
{
	my ($account, $what) = @_;

	return wait_until($node, 'postgres', "SELECT health = 'active' AND checked_at > started_at AND NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'webhooks')
		FROM zcsync.webhooks JOIN zcsync.accounts USING (account_id) CROSS JOIN (SELECT started_at FROM checks ORDER BY started_at DESC LIMIT 1) AS c WHERE name = '$account'", $what);
}
sub ensure
{
	my ($account, $more) = @_;

	value('INSERT INTO checks VALUES (clock_timestamp())');
	return value("SELECT zcsync.ensure_webhooks('$account'" . ($more // '') . ')');
}
sub look { value('INSERT INTO checks VALUES (clock_timestamp())'); return value("UPDATE zcsync.webhooks SET next_check_at = now(); SELECT zcsync._wake()") }

$flow->accounts;
value(q{SELECT FROM zcsync.add_stream('acme', 'tickets', since => '2020-01-01', pull_interval => '1 day')});
value(q{SELECT FROM zcsync.add_stream('dev', 'tasks', since => '2020-01-01', pull_interval => '1 day')});
value(<<'SQL');
CREATE TABLE checks (started_at timestamptz);
CREATE ROLE zcsync_door LOGIN;
GRANT USAGE ON SCHEMA zcsync TO zcsync_door;
GRANT EXECUTE ON FUNCTION zcsync.receive_webhook TO zcsync_door;
SQL
wait_until($node, 'postgres', q{SELECT count(*) = 2 FROM zcsync.streams WHERE history_state = 'done' AND last_pull_at IS NOT NULL}, 'all is read');
my $door = Door->start($node);
my $url = 'http://127.0.0.1:' . $door->port;
my ($ticket) = split /\n/, value('SELECT remote_id FROM zcsync.tickets WHERE deleted_at IS NULL ORDER BY local_id');
my ($task) = split /\n/, value('SELECT remote_id FROM zcsync.tasks ORDER BY local_id');
my $n = 0;

# A change at both vendors is in the rows, which nothing reads but webhooks.
sub arrives
{
	my ($what) = @_;

	$n++;
	$simulator->post('edit', { account => 'acme', id => $ticket, fields => { subject => "Changed $n" } });
	$simulator->post('edit', { workspace => 'dev', id => $task, fields => { name => "Changed $n" } });
	wait_until($node, 'postgres', "SELECT EXISTS (SELECT FROM zcsync.tickets WHERE subject = 'Changed $n')", "a ticket comes, $what");
	return wait_until($node, 'postgres', "SELECT EXISTS (SELECT FROM zcsync.tasks WHERE name = 'Changed $n')", "a task comes, $what");
}

# ---------------------------------------------------------------------
# Declared
# ---------------------------------------------------------------------
my $explain = sub { $node->safe_psql('postgres', "ALTER SYSTEM SET auto_explain.log_min_duration = '$_[0]'; SELECT pg_reload_conf()") };
$explain->(0);
my $address = ensure('acme', ", '$url'");
settled('acme', 'Zendesk has a webhook');
is(ensure('dev', ", '$url'") =~ s{/[0-9a-f]{32}/1$}{}r, $url, 'the address is that of the door, a path and a number');
settled('dev', 'ClickUp has one');
$explain->(-1);
my @zendesk = hooks('zendesk');
my @clickup = hooks('clickup');
is_deeply([ map { "$_->{status} $_->{endpoint}" } @zendesk ], ["active $address"], 'one at Zendesk, active');
is_deeply([ map { $_->{health}{status} } @clickup ], ['active'], 'one at ClickUp');
cmp_ok(scalar @{ $zendesk[0]{subscriptions} }, '>', 10, 'with all that zcsync can use');
arrives('as declared');
is(value(q{SELECT count(*) FROM zcsync.refused_deliveries}), 0, 'nothing was refused');
is(value(q{SELECT string_agg(account || ' ' || state, ' ' ORDER BY account) FROM zcsync.stat_webhooks}), 'acme works dev works', 'stat_webhooks says so');
my $writes = sub { return join ' ', map { $_->{operation} } @{ $simulator->get('ledger', vendor => $_[0], limit => 100000)->{writes} } };
is($writes->('zendesk'), 'create_webhook update_webhook', 'Zendesk: made, and made active when its secret was known');
is($writes->('clickup'), 'create_webhook', 'ClickUp: made');
ensure('acme');
settled('acme', 'declared again');
is($writes->('zendesk'), 'create_webhook update_webhook', 'which changes nothing');

# ---------------------------------------------------------------------
# Another secret
# ---------------------------------------------------------------------
my %former = (acme => $zendesk[0]{secret}, dev => $clickup[0]{secret});
my $path = value(q{SELECT path FROM zcsync.webhooks WHERE account_id = zcsync.account('acme')});
my $sent = sub { return $door->post($path, Webhooks::zendesk($_[0], $ticket)) };
for my $account (qw(acme dev))
{
	is(ensure($account, ', rotate => true') =~ s{.*/}{}r, 2, "another one for $account");
	settled($account, 'it is there');
}
my @now = hooks('zendesk');
is(scalar @now, 1, 'the former one is gone from Zendesk');
isnt($now[0]{secret}, $former{acme}, 'the secret is another');
is(scalar(hooks('clickup')), 1, 'and from ClickUp');
arrives('with the new secret');
is($sent->($former{acme}), 200, 'the former secret is still valid');
is(value(q{SELECT secrets FROM zcsync.stat_webhooks WHERE account = 'acme'}), 2, 'two are');
ensure('acme', q{, rotate => true, keep => '0'});
settled('acme', 'another one, at once');
is($sent->($now[0]{secret}), 403, 'the former one is not valid any more');
is($sent->($former{acme}), 200, 'the one before still is, for its day');

# the reply to the creation is lost
$simulator->post('faults', { fault => 'reset_after', method => 'POST', path => '/webhook', vendor => 'clickup' });
ensure('dev', ', rotate => true');
settled('dev', 'in spite of a lost reply');
$simulator->no_faults;
is(scalar(hooks('clickup')), 1, 'there is one');
arrives('after that');

# ---------------------------------------------------------------------
# Repaired
# ---------------------------------------------------------------------
my ($hook) = hooks('clickup');
$simulator->post('edit_webhook', { id => $hook->{id}, fields => { health => { status => 'suspended', fail_count => 100 } } });
look();
settled('dev', 'a suspended one is repaired');
is((hooks('clickup'))[0]{health}{status}, 'active', 'it sends again');
is(value(q{SELECT lost FROM zcsync.webhooks WHERE account_id = zcsync.account('dev')}), 'the vendor had it as "suspended" after 100 failed deliveries', 'what was is noted');
is(value(q{SELECT state FROM zcsync.status WHERE account = 'dev webhook'}), 'repaired', 'and in status');
$simulator->post('edit_webhook', { id => $_->{id}, remove => 1 }) for hooks('zendesk'), hooks('clickup');
look();
settled($_, "$_: a removed one is made anew") for qw(acme dev);
arrives('after that');
like(value(q{SELECT why FROM zcsync.status WHERE account = 'acme webhook' AND state = 'repaired'}), qr/^it was gone at the vendor/, 'status says so');
($hook) = hooks('zendesk');
$simulator->post('edit_webhook', { id => $hook->{id}, fields => { status => 'inactive', subscriptions => [] } });
look();
settled('acme', 'what somebody changed is changed back');
arrives('after that');
ensure('acme', q{, events => '{zen:event-type:ticket.subject_changed}'});
settled('acme', 'fewer events');
is_deeply((hooks('zendesk'))[0]{subscriptions}, ['zen:event-type:ticket.subject_changed'], 'if that is wanted');


# ---------------------------------------------------------------------
# It cannot be declared
# ---------------------------------------------------------------------
$simulator->post('faults', { fault => 'status', status => 403, body => { error => { title => 'Forbidden', message => 'You do not have access' } }, path => '/webhooks', count => 0 });
ensure('acme');
wait_until($node, 'postgres', q{SELECT state = 'undeclared' AND to_do LIKE '%ensure_webhooks(%' FROM zcsync.status WHERE account = 'acme webhook'}, 'status says that, and what to run');
$simulator->no_faults;
ensure('acme');
settled('acme', 'then it can');
is(value(q{SELECT count(*) FROM zcsync.dead_letters}), 0, 'no dead letter');

# ---------------------------------------------------------------------
# No secret in clear
# ---------------------------------------------------------------------
my @secrets = (values %former, map { $_->{secret} } hooks('zendesk'), hooks('clickup'));
my ($dump) = run_command([ 'pg_dump', '--dbname=' . $node->connstr('postgres') ]);
my $log = slurp_file($node->logfile);
like($dump, qr/COPY zcsync\.sync_records/, 'a dump');
is(scalar(grep { index($dump, $_) >= 0 } @secrets), 0, 'no secret is in it');
like($log, qr/Query Text: .*_next_webhook_payload.*\n.*duration/s, 'what was done with the replies is in the log');
is(scalar(grep { index($log, $_) >= 0 } @secrets), 0, 'but no secret is');

# ---------------------------------------------------------------------
# Removed
# ---------------------------------------------------------------------
my ($rc, undef, $refused) = $node->psql('postgres', q{SELECT zcsync.remove_account('acme')});
like($refused, qr/webhooks at the vendor: 1.*HINT: .*SELECT zcsync\.remove_webhook\('acme'\);/s, 'an account is not removed before them');
value(qq{SELECT zcsync.remove_webhook('$_')}) for qw(acme dev);
wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.webhooks)}, 'removed');
is(scalar(hooks('zendesk')) + scalar(hooks('clickup')), 0, 'at the vendors, too');
is(value(q{SELECT count(*) FROM zcsync.credentials WHERE name LIKE 'webhook/%'}), 0, 'and their secrets');
is($sent->($former{acme}), 403, 'nothing is taken any more');

$door->stop;
$node->stop;
done_testing();
