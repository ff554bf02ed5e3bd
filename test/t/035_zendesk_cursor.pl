# A cursor that Zendesk refuses: the stream goes on from the last time, with an
# overlap, once, and says so.

use strict;
use warnings;

use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 40);
my ($node, $simulator) = ($flow->node, $flow->simulator);
sub value { return $flow->value($_[0]) }
sub edit { $simulator->post('edit', { account => 'acme', id => 0 + $_[0], fields => { subject => $_[1] } }); return; }
sub comes { my ($subject, $what) = @_; return wait_until($node, 'postgres', "SELECT EXISTS (SELECT FROM zcsync.tickets WHERE subject = '$subject')", $what); }
sub refuse { $simulator->post('faults', { vendor => 'zendesk', path => '/incremental/tickets', method => 'GET', fault => 'status', status => 400,
	body => { error => 'InvalidValue', description => 'Invalid cursor' }, count => $_[0] }); return; }

# the parameters of exports of tickets, as they were asked for since then
sub exports
{
	my ($since) = @_;
	return map { $_->{query} // $_->{path} } grep { $_->{path} =~ m{/incremental/tickets} } $flow->requests(vendor => 'zendesk', since => $since);
}

$flow->mirror;
my $cursor = q{SELECT live_cursor FROM zcsync.streams WHERE kind = 'tickets' AND account_id = zcsync.account('acme')};
edit(5, 'Before');
comes('Before', 'the stream has a cursor');
$flow->polls;
like(value($cursor), qr/"time": \d+.*"cursor"|"cursor".*"time": \d+/, 'and knows up to which time it has read');
my $time = value("SELECT ($cursor) ->> 'time'");
is($time, value(q{SELECT max((remote ->> 'generated_timestamp')::bigint) FROM zcsync.tickets}), 'that of the last record');

# Refused once.
my $since = $simulator->get('stats')->{requests};
$simulator->no_faults;
refuse(1);
edit(10, 'Meanwhile');
comes('Meanwhile', 'a change that came meanwhile is read');
is(value(q{SELECT count || ' ' || object FROM zcsync.alerts WHERE code = 'cursor_refused'}), '1 acme/tickets', 'one alert says so');
like(value(q{SELECT message FROM zcsync.alerts WHERE code = 'cursor_refused'}), qr/cursor of stream "acme\/tickets" was refused: .*Invalid cursor/, 'with the words of the vendor');
is(log_lines($node, 'cursor of stream "acme/tickets" was refused'), 1, 'so does the log');
wait_until($node, 'postgres', "SELECT x ? 'cursor' AND NOT x ? 'restarted' FROM ($cursor) AS c (x)", 'it has a cursor again, which was accepted');
is(value(q{SELECT count(*) FROM zcsync.streams WHERE last_error_at IS NOT NULL}), 0, 'and no error');
my @started = grep { defined } map { /start_time=(\d+)/ ? $1 : undef } map { "$_" } exports($since);
is(scalar @started, 1, 'it was begun anew once');
cmp_ok($started[0] // 0, '<=', $time - 300, 'five minutes before the last record');
$flow->polls;
is(value(q{SELECT count(*) - count(DISTINCT remote_id) FROM zcsync.tickets}), 0, 'no ticket is there twice');
wait_until($node, 'postgres', q{SELECT resolved_at IS NOT NULL FROM zcsync.alerts WHERE code = 'cursor_refused'}, 'and the alert is closed by itself');

# Refused for good: once begun anew, then an error.
refuse(0);
wait_until($node, 'postgres', q{SELECT state = 'errors' FROM zcsync.status WHERE account = 'acme'}, 'what is refused again waits for a person');
wait_until($node, 'postgres', "SELECT x ? 'start_time' FROM ($cursor) AS c (x)", 'it was begun anew');
$flow->advance(120);
wait_until($node, 'postgres', q{SELECT last_error_at > failing_since FROM zcsync.streams WHERE kind = 'tickets' AND account_id = zcsync.account('acme')}, 'it is asked again');
is(value(q{SELECT count FROM zcsync.alerts WHERE code = 'cursor_refused' AND resolved_at IS NULL}), 1, 'but was begun anew no more than once');
$simulator->no_faults;
edit(15, 'After');
value(q{SELECT zcsync.refresh('acme/tickets')});
comes('After', 'and goes on when it may');
wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.alerts WHERE resolved_at IS NULL)}, 'without an alert that stays');
is(log_lines($node, 'PANIC|TRAP|ERROR|zcsync could not'), 0, 'no error in the log');
$node->stop;
done_testing();
