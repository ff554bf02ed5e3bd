# Vendors that refuse: too many calls, spoilt replies, wrong credentials, a
# list that is not shared.  No attempt is spent on what is not the job's fault.

use strict;
use warnings;

use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 300, conf => "zcsync.request_timeout = 5s\nzcsync.max_response_size = 16MB");
my ($node, $simulator) = ($flow->node, $flow->simulator);

sub waits { my ($query, $what) = @_; return wait_until($node, 'postgres', $query, $what); }
sub edit { $simulator->post('edit', { account => 'acme', id => 0 + $_[0], fields => { subject => $_[1] } }); return; }
sub named { return "SELECT EXISTS (SELECT FROM zcsync.tasks WHERE name = '$_[0]' AND sync_state = 'synced')"; }
sub max_calls { my ($vendor, $account, $class) = @_; return $simulator->get('stats')->{max_calls_per_minute}{$vendor}{$account}{$class}; }
sub refused { return scalar grep { $_->{status} == 429 } $flow->requests(@_); }
sub failures { return $flow->value(q{SELECT (SELECT coalesce(sum(failures), 0) FROM zcsync.sync_queue) + (SELECT count(*) FROM zcsync.dead_letters)}); }

$flow->mirror;
$flow->route;

# ClickUp allows fewer calls than we were told: 40 in three seconds.
my $bugs = $flow->value(q{SELECT count(*) FROM zcsync.tickets WHERE tags @> '{bug}' AND deleted_at IS NULL});
$simulator->post('limits', { vendor => 'clickup', class => 'token', calls => 40, seconds => 3 });
$flow->backfill;
waits('SELECT sum(throttled_total) > 0 FROM zcsync.account_budgets', 'ClickUp refuses calls');
is(failures(), 0, 'no attempt is spent on it');
waits("SELECT paused_until > zcsync._now() FROM zcsync.account_budgets JOIN zcsync.accounts USING (account_id) WHERE name = 'dev'", 'the account waits as long as it is told');
waits("SELECT count(*) = $bugs FROM zcsync.tasks AS t JOIN zcsync.links AS l ON l.target_id = t.local_id WHERE t.sync_state = 'synced'", 'all tasks are made nevertheless');
is(failures(), 0, 'without a failure');
is($flow->writes->{create}, $bugs, 'each once');
my $refused = refused(vendor => 'clickup');
diag("$refused calls refused");
cmp_ok($refused, '<', $bugs, 'and not many are made in vain');

# Zendesk asks to wait.
$simulator->post('faults', { vendor => 'zendesk', path => '/incremental/', fault => 'rate_limit', retry_after => 3, count => 2 });
edit(5, 'After Retry-After');
waits("SELECT EXISTS (SELECT FROM zcsync.account_budgets WHERE class = 'export' AND paused_until > zcsync._now())", 'Zendesk asks to wait');
waits("SELECT last_error_class = 'throttled' FROM zcsync.streams WHERE kind = 'tickets'", 'the stream knows why it was not read');
is($flow->value("SELECT count(*) FROM zcsync.status WHERE account = 'acme' AND state = 'errors'"), 0, 'which needs no person');
my $from = $simulator->get('stats')->{requests};
waits(named('After Retry-After'), 'and is asked again');
is(failures(), 0, 'no failure');
my @times = map { $_->{time} } grep { $_->{path} =~ /incremental/ } $flow->requests(vendor => 'zendesk');
my @refused = map { $_->{time} } grep { $_->{path} =~ /incremental/ && $_->{status} == 429 } $flow->requests(vendor => 'zendesk');
is(scalar(grep { my $at = $_; grep { $_ > $at + 0.01 && $_ < $at + 2.9 } @times } @refused), 0, 'not before the time it said');

# Once limits are known, they are kept to: 60 calls a minute.
$simulator->post('limits', { vendor => 'clickup', class => 'token', calls => 60, seconds => 60 });
$flow->value(q{SELECT zcsync.alter_account('dev', settings => '{"budgets": {"api": {"calls": 60, "concurrency": 30}}}')});
$from = time;
$refused = refused(vendor => 'clickup');
$simulator->post('edits', [ map { { account => 'acme', id => 5 * $_, fields => { subject => "Within limits $_" } } } 1 .. 60 ]);
waits(q{SELECT count(*) >= 30 FROM zcsync.tasks WHERE name LIKE 'Within limits %'}, 'many edits come at once');
waits(q{SELECT count(*) = 0 FROM zcsync.sync_queue JOIN zcsync.account_budgets USING (account_id)
	WHERE class = 'api' AND budget_class = 'api' AND run_at < zcsync._now() AND tokens >= 1.5}, 'all that may be sent is sent');
@times = map { $_->{time} } grep { $_->{time} >= $from } $flow->requests(vendor => 'clickup');
cmp_ok(scalar @times, '<=', 60, 'no more calls than the limit in this minute: ' . @times);
cmp_ok(scalar @times, '>', 5, 'but some');
is(refused(vendor => 'clickup'), $refused, 'none is refused');
cmp_ok($flow->value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push'}), '>', 0, 'the rest waits');
is(failures(), 0, 'without a failure');
$flow->value(q{SELECT zcsync.alter_account('dev', settings => '{"budgets": {"api": {"calls": 1000000, "concurrency": 30}}}')});
$simulator->post('limits', { vendor => 'clickup', class => 'token', calls => undef });
$flow->advance(60);
$flow->settle('all is sent with wider limits');
$flow->agree('after throttling');

# Spoilt pages change nothing and are asked for again.
my $n = 0;
for my $vendor ([ 'zendesk', '/incremental/', 'acme' ], [ 'clickup', '/team/\d+/task', 'dev' ])
{
	for my $fault ({ fault => 'broken_json' }, { fault => 'truncated_json' }, { fault => 'truncated_body' }, { fault => 'html_502' },
		{ fault => 'gzip_bomb', megabytes => 64 }, { fault => 'oversize', megabytes => 32 },
		{ fault => 'redirect', location => 'http://127.0.0.1:1/' })
	{
		my $page = 'Page ' . ++$n;
		my $stream = $vendor->[0] eq 'zendesk' ? 'tickets' : 'tasks';
		$simulator->post('faults', { vendor => $vendor->[0], path => $vendor->[1], method => 'GET', count => 0, %$fault });
		# a stream that failed is read more rarely, if not asked for
		$flow->value("SELECT zcsync.refresh('$vendor->[2]/$stream')");
		waits("SELECT last_error IS NOT NULL FROM zcsync.streams WHERE kind = '$stream'", "$vendor->[0]: $fault->{fault}");
		my ($cursor, $at) = split /\|/, $flow->value("SELECT live_cursor, last_error_at FROM zcsync.streams WHERE kind = '$stream'");
		$flow->advance(40);
		waits("SELECT last_error_at > '$at' AND live_cursor IS NOT DISTINCT FROM '$cursor' FROM zcsync.streams WHERE kind = '$stream'",
			"$vendor->[0]: $fault->{fault} moves no cursor, and the page is asked for again");
		$simulator->no_faults;
		edit(10, $page);
		$flow->advance(40);
		$node->poll_query_until('postgres', named($page)) or fail("$page does not come");
	}
}
is($flow->value('SELECT count(*) FROM zcsync.dead_letters'), 0, 'no job died');
$flow->settle('all pages came');
is($flow->value('SELECT count(last_error) FROM zcsync.streams'), 0, 'and the errors are over');
$flow->agree('after spoilt pages');

# Wrong credentials stop the account, once and with a hint.
$simulator->post('faults', { vendor => 'clickup', fault => 'status', status => 401, body => { err => 'Token invalid', ECODE => 'OAUTH_025' }, count => 0 });
edit(10, 'With wrong credentials');
waits("SELECT state = 'blocked' FROM zcsync.accounts WHERE name = 'dev'", 'refused credentials stop the account');
like($flow->value("SELECT state_hint FROM zcsync.accounts WHERE name = 'dev'"), qr/set_credentials/, 'with a hint');
is($flow->value("SELECT count(*) FROM zcsync.alerts WHERE code = 'credentials_refused' AND resolved_at IS NULL"), 1, 'and one alert');
$from = $simulator->get('stats')->{requests};
edit(15, 'While it is blocked');
waits("SELECT EXISTS (SELECT FROM zcsync.tickets WHERE subject = 'While it is blocked')", 'the other account goes on');
is(scalar $flow->requests(vendor => 'clickup', since => $from), 0, 'nothing is sent meanwhile');
$simulator->no_faults;
$flow->value(q{SELECT zcsync.set_credentials('dev', '{"token": "pk_183_DEV"}')});
$flow->value("SELECT zcsync.refresh('dev/tasks')");
waits(named('With wrong credentials'), 'right ones let it go on');
waits(named('While it is blocked'), 'and nothing was lost');
is($flow->value('SELECT count(*) FROM zcsync.dead_letters'), 0, 'no job died');
$flow->settle('all came through');
$flow->agree('with right credentials');

# A list that the token may not see rejects its job, and only that.
my $hidden = $simulator->get('info')->{clickup}{dev}{lists}{Management};
$flow->value("INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (zcsync.account('dev'), 'Secret', '$hidden')");
edit(15, 'While a job is rejected');
waits(named('While a job is rejected'), 'others go on');
for (1 .. 12)
{
	last if $flow->value('SELECT count(*) FROM zcsync.dead_letters') > 0;
	$flow->advance(60);
	$flow->polls;
}
is($flow->value("SELECT count(*) || ' ' || string_agg(d.class, ',') FROM zcsync.dead_letters AS d JOIN zcsync.tasks AS t USING (local_id) WHERE t.name = 'Secret'"),
	'1 rejected', 'the job is a dead letter');
like($flow->value('SELECT hint FROM zcsync.dead_letters'), qr/Share the list/, 'with a hint');
is($flow->value('SELECT string_agg(state, $$,$$) FROM zcsync.accounts'), 'active,active', 'both accounts are active');
edit(15, 'After a job was rejected');
waits(named('After a job was rejected'), 'others still go on');

is(log_lines($node, 'FATAL|PANIC|ERROR|zcsync could not'), 0, 'no error in the log');
$node->stop;
done_testing();
