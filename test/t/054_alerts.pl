# Alerts reach people: messages arrive at a real HTTPS receiver and at a real mail relay
# with TLS, one alert and one all-clear for each trouble; hosts that are not allowed,
# redirects and relays without TLS get nothing; secrets show up nowhere.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use AlertSink;
use Cpanel::JSON::XS qw(decode_json);
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $files = PostgreSQL::Test::Utils::tempdir();
my $sink = AlertSink->start(PostgreSQL::Test::Utils::tempdir());
my $key_file = PostgreSQL::Test::Utils::tempdir() . '/zcsync.key';
my $node = new_node('main', cron => 1, conf => <<CONF);
zcsync.ca_file = '@{[ $sink->ca ]}'
zcsync.alert_hosts = '127.0.0.1'
zcsync.key_file = '$key_file'
zcsync.credentials_directory = '$files'
cron.database_name = 'postgres'
log_statement = none
CONF
$node->start;
sub value { return $node->safe_psql('postgres', $_[0]); }
sub conf { $node->append_conf('postgresql.conf', $_[0]); $node->reload; return; }

append_to_file("$files/hook", $sink->https . "/hook-secret\n");
value('CREATE EXTENSION pg_cron');
setup_zcsync($node, 'postgres');
wait_for_worker($node, 'postgres');
# pg_cron runs nothing here: its jobs wait for a 30th of February
value(q{SELECT zcsync.schedule_maintenance('0 0 30 2 *')});

# ---------------------------------------------------------------------
# Targets, one by one
# ---------------------------------------------------------------------

sub test_alert
{
	my ($target) = @_;

	return value("SELECT concat_ws(': ', ok, message) FROM zcsync.test_alert('$target')");
}
sub add_target
{
	my ($name, $kind, $settings, $secrets) = @_;

	$secrets //= '{}';
	value("SET log_statement = none; SELECT zcsync.add_alert_target('$name', '$kind', '$settings', '$secrets')");
	return test_alert($name);
}

my $base = $sink->https;
is(add_target('hook', 'json', '{}', '{"url": "file:hook"}'), 't: the target took the message', 'JSON, whose address is a secret in a file');
is(add_target('own', 'json', qq({"url": "$base/own", "template": {"text": "{title}", "n": ["{to_do}"]}}), '{"token": "tok-secret"}'), 't: the target took the message', 'JSON with a template and a token');
is(add_target('slack', 'slack', '{}', qq({"url": "$base/slack-secret"})), 't: the target took the message', 'Slack');
is(add_target('teams', 'teams', '{}', qq({"url": "$base/teams-secret"})), 't: the target took the message', 'Teams');
is(add_target('pager', 'pagerduty', qq({"url": "$base/v2/enqueue"}), '{"routing_key": "routing-secret"}'), 't: the target took the message', 'PagerDuty');
my @requests = $sink->requests;
is(join(' ', map { $_->{path} } @requests), '/hook-secret /own /slack-secret /teams-secret /v2/enqueue', 'each at its address');
like(decode_json($requests[0]{body})->{title}, qr/^\[test\] zcsync postgres: a test of target hook, nothing is wrong$/, 'JSON: the facts');
is_deeply(decode_json($requests[1]{body}), { text => '[test] zcsync postgres: a test of target own, nothing is wrong', n => ['nothing'] }, 'JSON: the template');
like($requests[1]{headers}, qr/^Authorization: Bearer tok-secret\r$/m, 'the token is a header');
is(decode_json($requests[4]{body})->{routing_key}, 'routing-secret', 'the routing key is in the body');
is(decode_json($requests[4]{body})->{event_action}, 'trigger', 'PagerDuty: an event');

my $mail = '"from": "zcsync@example.com", "to": ["ops@example.com", "boss@example.com"]';
is(add_target('mail', 'email', sprintf('{"url": "%s", "user": "relay-user", %s}', $sink->smtps, $mail), '{"password": "mail-secret"}'),
	't: the target took the message', 'mail with TLS from the start and a login');
is(add_target('mail2', 'email', sprintf('{"url": "%s", %s}', $sink->smtp, $mail)), 't: the target took the message', 'mail with STARTTLS');
my @mails = $sink->mails;
is(scalar @mails, 2, 'two mails came');
is("$mails[0]{user} $mails[0]{password} $mails[0]{from} @{$mails[0]{to}}", 'relay-user mail-secret zcsync@example.com ops@example.com boss@example.com', 'with login, sender and recipients');
ok($mails[1]{secure}, 'after STARTTLS');
like($mails[1]{message}, qr/^Subject: \[test\] zcsync postgres: a test of target mail2, nothing is wrong\r$/m, 'with a subject');
like(decode_base64((split /\r\n\r\n/, $mails[1]{message}, 2)[1]), qr/^run:    nothing\r$/m, 'and a text');
$sink->offer_tls(0);
like(test_alert('mail2'), qr/^f: .*(?:TLS|SSL)/, 'a relay without STARTTLS gets nothing');
is(scalar(() = $sink->mails), 2, 'no mail in clear');
$sink->offer_tls(1);

# what is refused
$sink->reply('302 Found', 'Location: https://127.0.0.1/elsewhere');
is(test_alert('own'), 'f: HTTP status 302, a redirect, which is not followed', 'a redirect is not followed');
$sink->reply('200 OK');
conf("zcsync.alert_hosts = 'example.com'");
is(test_alert('own'), 'f: host "127.0.0.1" is not in "zcsync.alert_hosts"', 'a host that is not allowed any more');
is(test_alert('mail'), 'f: host "127.0.0.1" is not in "zcsync.alert_hosts"', 'nor for mail');
is(test_alert('slack'), 'f: host "127.0.0.1" is not in "zcsync.alert_hosts"', 'nor one in a secret');
conf("zcsync.alert_hosts = '127.0.0.1'\nzcsync.ca_file = ''");
like(test_alert('own'), qr/^f: .*certificate/i, 'a certificate that nobody vouches for');
conf("zcsync.ca_file = '@{[ $sink->ca ]}'");

# ---------------------------------------------------------------------
# One alert and one all-clear for each trouble, by HTTP and by mail
# ---------------------------------------------------------------------

value(q{SELECT zcsync.remove_alert_target(t) FROM unnest('{own,slack,teams,pager,mail}'::text[]) AS t});
# what a test breaks is told at once
value(q{UPDATE zcsync.alert_rules SET lasts = '0', cool_down = '0'; DELETE FROM zcsync.alert_rules WHERE measure IN ('cpu', 'memory', 'disk', 'io', 'response time', 'error rate', 'backlog')});
value(q{CALL zcsync.maintain()});

# The titles that came, by HTTP and by mail.
sub titles
{
	return ([ map { decode_json($_->{body})->{title} } $sink->requests ], [ map { $_->{message} =~ /^Subject: (.*?)\r$/m ? $1 : '' } $sink->mails ]);
}
sub wait_for_titles
{
	my ($count) = @_;

	for (1 .. 300)
	{
		my ($http, $smtp) = titles();
		last if @$http >= $count && @$smtp >= $count;
		select undef, undef, undef, 0.2;
	}
	return;
}
# Break something, have it told, mend it, have that told.  With by_hand the worker does
# nothing, and CALL zcsync.evaluate_alerts() does what pg_cron would.
sub told_once
{
	my ($what, $break, $mend, $like, %options) = @_;
	my $look = sub { $options{by_hand} && value("CALL zcsync.evaluate_alerts('0')"); };

	$sink->forget;
	$break->();
	$look->();
	wait_for_titles(1);
	# looked at again, it is not told again
	$look->() foreach 1 .. 2;
	sleep 4 unless $options{by_hand};
	my ($http, $smtp) = titles();
	is(scalar @$http, 1, "$what: one alert by HTTP") or diag(explain($http));
	is(scalar @$smtp, 1, "$what: one alert by mail") or diag(explain($smtp));
	like($http->[0] // '', $like, "$what: it says so");
	$mend->();
	$look->() foreach 1 .. 2;
	wait_for_titles(2);
	$look->();
	($http, $smtp) = titles();
	is(scalar @$http, 2, "$what: one all-clear by HTTP") or diag(explain($http));
	is(scalar @$smtp, 2, "$what: one all-clear by mail") or diag(explain($smtp));
	like($http->[1] // '', qr/^\[all clear\] zcsync postgres: .* \(over after /, "$what: it says so");
	return;
}
# Take the worker's role away and end the worker, in one transaction: a worker that still
# saw the one before the other would begin to tell of it, and be ended amid that.
sub stop_worker_by
{
	my ($sql) = @_;

	value("BEGIN; $sql; DO \$\$ BEGIN PERFORM pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE backend_type LIKE 'zcsync%worker'; END \$\$; COMMIT");
	wait_for_no_worker($node, 'postgres');
	return;
}
sub quiet
{
	value(q{SELECT zcsync.start()}) if value('SELECT stopped FROM zcsync.installation') eq 't';
	return wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.status WHERE account = '(all)' AND state <> 'no account')}, 'nothing is wrong')
	  || diag(value('SELECT account, state, why FROM zcsync.status'));
}

quiet();
told_once('a right of the worker is revoked', sub { value('REVOKE EXECUTE ON FUNCTION zcsync._claim_jobs FROM zcsync_worker') },
	sub { value('SELECT FROM zcsync.setup()') }, qr/^\[critical\] zcsync postgres: (?:no rights|failing)/);
quiet();
told_once('a job of pg_cron fails', sub {
		value(q{INSERT INTO cron.job_run_details (jobid, runid, status, return_message, start_time, end_time)
			SELECT jobid, 1000000, 'failed', 'a text', now(), now() + interval '1 minute' FROM cron.job WHERE jobname LIKE 'zcsync maintenance%'}) },
	sub { value('DELETE FROM cron.job_run_details') }, qr/^\[warning\] zcsync postgres: no maintenance$/);
quiet();
# A publication of all tables blocks nothing, since each table has a key or the replica
# identity FULL.  One that publishes some rows of a table, by a column that is not part of
# its key, still does: PostgreSQL then refuses to delete any row.
value(q{CREATE PUBLICATION everything FOR ALL TABLES});
is($node->psql('postgres', 'CALL zcsync.maintain()'), 0, 'a publication of all tables blocks no step of maintenance');
value('DROP PUBLICATION everything');
told_once('a publication blocks maintenance', sub {
		value(q{CREATE PUBLICATION narrow FOR TABLE zcsync.report_archive WHERE (line IS NOT NULL)});
		my (undef, undef, $stderr) = $node->psql('postgres', 'CALL zcsync.maintain()');
		like($stderr, qr/steps of maintenance failed: reports/, 'the step that deletes there fails, and no other');
		like(value(q{SELECT message FROM zcsync.alerts WHERE code = 'maintenance' AND resolved_at IS NULL}),
			qr/^step "reports" of zcsync\.maintain\(\) failed: cannot delete from table "report_archive"$/, 'and the alert names the table') },
	sub { value('DROP PUBLICATION narrow'); value('CALL zcsync.maintain()') }, qr/^\[warning\] zcsync postgres: no maintenance$/);
quiet();
told_once('the key is gone', sub {
		value(q{SET log_statement = none; SELECT zcsync.add_account('dev', 'clickup', settings => '{"workspace_id": "1", "base_url": "http://127.0.0.1:1"}', credentials => '{"token": "pk_secret"}')});
		rename $key_file, "$key_file.away" or die $! },
	sub { rename "$key_file.away", $key_file or die $!; value(q{SELECT zcsync.remove_account('dev')}) }, qr/^\[critical\] zcsync postgres: no key$/);
quiet();

# without the worker: pg_cron's part
told_once('the worker cannot start', sub { stop_worker_by('ALTER ROLE zcsync_worker NOLOGIN') },
	sub { value('ALTER ROLE zcsync_worker LOGIN'); wait_for_worker($node, 'postgres') }, qr/^\[critical\] zcsync postgres: .*no rights/, by_hand => 1);
quiet();
told_once('the role of the workers is gone', sub { stop_worker_by('DROP OWNED BY zcsync_worker; DROP ROLE zcsync_worker') },
	sub { value('SELECT FROM zcsync.setup()'); wait_for_worker($node, 'postgres') }, qr/^\[critical\] zcsync postgres: .*no rights/, by_hand => 1);
quiet();

# pg_cron calls it each minute; while the worker evaluates, it does nothing
like(value('SELECT zcsync.schedule_alerts()'), qr/pg_cron runs the job "zcsync alerts of postgres" at \* \* \* \* \*/, 'pg_cron is told');
my $command = value(q{SELECT command FROM cron.job WHERE jobname LIKE 'zcsync alerts%'});
is($command, "CALL zcsync.evaluate_alerts('2 minutes')", 'what to call');
value(q{SELECT cron.alter_job(jobid, schedule => '0 0 30 2 *') FROM cron.job});
$sink->forget;
value('SELECT zcsync.stop()');
wait_for_no_worker($node, 'postgres');
value($command);
is(scalar(() = $sink->requests), 0, 'the worker has evaluated lately: nothing is done');
value("UPDATE zcsync.installation SET alerts_at = zcsync._now() - interval '3 minutes'");
value($command);
is(scalar(() = $sink->requests), 1, 'it is silent: one alert');
like((titles())[0][0], qr/^\[critical\] zcsync postgres: stopped$/, 'that says so');
quiet();
wait_for_titles(2);

# ---------------------------------------------------------------------
# An outage of six hours
# ---------------------------------------------------------------------

value(q{UPDATE zcsync.alert_rules SET lasts = '5 minutes' WHERE measure IN ('lag', 'errors')});
my $simulator = start_simulator('--tickets', 5);
add_simulated_accounts($node, 'postgres', $simulator);
value(q{SELECT FROM zcsync.add_stream('acme', 'tickets', since => '2020-01-01')});
wait_until($node, 'postgres', q{SELECT count(*) = 5 FROM zcsync.tickets}, 'tickets came');
# from here on the clock is moved, which a worker and pg_cron would not see
conf("zcsync.databases = ''");
wait_for_no_worker($node, 'postgres');
value(q{SELECT zcsync.unschedule_alerts(); DELETE FROM zcsync.alert_rules WHERE measure = 'installation'});
value('CALL zcsync.evaluate_alerts()');
$sink->forget;
value(q{UPDATE zcsync.accounts SET settings = settings || '{"base_url": "http://127.0.0.1:1"}', version = version + 1 WHERE name = 'acme'});
for my $minutes (0, 2, 4, 6, 8, 10, 15, 20, 40, 60, 120, 240, 360)
{
	$node->psql('postgres', sprintf(q{SET zcsync.clock_offset = %d; CALL zcsync.run('2 s', false)}, 60 * $minutes));
	value(sprintf(q{SET zcsync.clock_offset = %d; CALL zcsync.evaluate_alerts()}, 60 * $minutes));
}
my ($http, $smtp) = titles();
is(join(' ', map { /^\[(\w+)\]/ } @$http), 'warning', 'six hours: one alert') or diag(explain($http));
like($http->[0] // '', qr/account acme: the vendor has been out of order for /, 'that says so');
value(sprintf(q{UPDATE zcsync.accounts SET settings = settings || '{"base_url": "%s"}', version = version + 1 WHERE name = 'acme'}, $simulator->zendesk));
for my $minutes (365, 370, 371)
{
	$node->psql('postgres', sprintf(q{SET zcsync.clock_offset = %d; CALL zcsync.run('10 s')}, 60 * $minutes));
	value(sprintf(q{SET zcsync.clock_offset = %d; CALL zcsync.evaluate_alerts()}, 60 * $minutes));
}
($http, $smtp) = titles();
is(join(' ', map { /^\[([\w ]+)\]/ } @$http), 'warning all clear', 'and one all-clear') or diag(explain($http));
is(scalar @$smtp, 2, 'likewise by mail');

# ---------------------------------------------------------------------
# A target that is down
# ---------------------------------------------------------------------

value(q{SELECT zcsync.pause_alert_target('mail2')});
value(q{DELETE FROM zcsync.alert_rules});
value(q{SET zcsync.clock_offset = 29000; CALL zcsync.evaluate_alerts()});
value(q{SELECT zcsync.add_alert_rule('paused', 'paused', 1, cool_down => '0')});
value(q{SELECT zcsync.pause_queue('task-sync')});
$sink->reply('503 Service Unavailable');
$sink->forget;
value(sprintf(q{SET zcsync.clock_offset = %d; CALL zcsync.evaluate_alerts()}, $_)) foreach 30000, 30100, 30300, 30700, 31300, 33000, 35000, 37000;
is(value(q{SELECT d.state || ' ' || d.attempts || ' ' || d.last_error FROM zcsync.alert_deliveries AS d ORDER BY d.delivery_id DESC LIMIT 1}),
	'failed 5 HTTP status 503', 'a target that is down is tried five times');
is(scalar(() = $sink->requests), 5, 'and no more');
is(value(q{SELECT account || ': ' || why || ' ' || to_do FROM zcsync.status WHERE state = 'no alerts'}),
	q{target hook: HTTP status 503 SELECT * FROM zcsync.test_alert('hook');}, 'status says so');
$sink->reply('200 OK');
is(test_alert('hook'), 't: the target took the message', 'it is back');
$sink->forget;
value(q{SET zcsync.clock_offset = 37100; CALL zcsync.evaluate_alerts()});
is(join(' ', map { /^\[(\w+)\]/ } @{ (titles())[0] }), 'warning', 'and is told what it missed');
is(value(q{SELECT count(*) FROM zcsync.status WHERE state = 'no alerts'}), 0, 'nothing is wrong with it');
# one that never answers holds up nobody for more than ten seconds
my $began = time;
my $silent = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
add_target('silent', 'json', sprintf('{"url": "https://127.0.0.1:%d/"}', $silent->sockport));
cmp_ok(time - $began, '<', 60, 'a target that never answers');
like(test_alert('silent'), qr/^f: /, 'is an error');

# ---------------------------------------------------------------------
# Secrets
# ---------------------------------------------------------------------

add_target('last', 'slack', '{}', qq({"url": "$base/slack-secret"}));
my ($dump) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
my $log = slurp_file($node->logfile);
my $rows = value('SELECT string_agg(t::text, $$ $$) FROM (SELECT x::text FROM zcsync.alert_deliveries AS x UNION ALL SELECT x::text FROM zcsync.alert_incidents AS x UNION ALL SELECT x::text FROM zcsync.alert_targets AS x UNION ALL SELECT x::text FROM zcsync.alert_secrets AS x) AS t');
my $statements = value('SELECT string_agg(query, $$ $$) FROM pg_stat_activity WHERE pid <> pg_backend_pid()') // '';
foreach my $secret (qw(hook-secret tok-secret slack-secret teams-secret routing-secret mail-secret))
{
	unlike($dump, qr/\Q$secret\E/, "$secret is in no dump");
	unlike($log, qr/\Q$secret\E/, "and not in the log");
	unlike($rows, qr/\Q$secret\E/, "nor in a row");
	unlike($statements, qr/\Q$secret\E/, 'nor in pg_stat_activity');
}
# one of another target cannot be used, even if somebody moves it
value(q{UPDATE zcsync.alert_secrets SET target_id = (SELECT target_id FROM zcsync.alert_targets WHERE name = 'silent') WHERE target_id = (SELECT target_id FROM zcsync.alert_targets WHERE name = 'last')});
like(test_alert('silent'), qr/^f: sealed credential "url" is damaged/, 'a secret belongs to its target');

$node->stop;
done_testing();
