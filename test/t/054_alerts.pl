# Alerts reach people: messages arrive at a real HTTPS receiver and at a real mail relay
# with TLS, one alert and one all-clear for each trouble, and tickets at simulated vendors;
# hosts that are not allowed, redirects and relays without TLS get nothing; secrets show up
# nowhere.

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

append_to_file("$files/alert_hook", $sink->https . "/hook-secret\n");
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
is(add_target('hook', 'json', '{}', '{"url": "file:alert_hook"}'), 't: the target took the message', 'JSON, whose address is a secret in a file');
is(add_target('own', 'json', qq({"url": "$base/own", "template": {"text": "{title}", "n": ["{to_do}", "{{token}}"]}}), '{"token": "tok-secret"}'), 't: the target took the message', 'JSON with a template and a token');
is(add_target('slack', 'slack', '{}', qq({"url": "$base/slack-secret"})), 't: the target took the message', 'Slack');
is(add_target('teams', 'teams', '{}', qq({"url": "$base/teams-secret"})), 't: the target took the message', 'Teams');
# One of PagerDuty.  The address, which must be its own, is then made that of the receiver.
sub add_pager
{
	value(q{SET log_statement = none; SELECT zcsync.add_alert_target('pager', 'pagerduty', secrets => '{"routing_key": "routing-secret"}')});
	value(qq{UPDATE zcsync.alert_targets SET settings = '{"url": "$base/v2/enqueue"}' WHERE name = 'pager'});
	return;
}
add_pager();
is(test_alert('pager'), 't: the target took the message', 'PagerDuty');
my @requests = $sink->requests;
is(join(' ', map { $_->{path} } @requests), '/hook-secret /own /slack-secret /teams-secret /v2/enqueue /v2/enqueue', 'each at its address');
like(decode_json($requests[0]{body})->{title}, qr/^\[test\] zcsync postgres: a test of target hook, nothing is wrong$/, 'JSON: the facts');
is_deeply(decode_json($requests[1]{body}), { text => '[test] zcsync postgres: a test of target own, nothing is wrong', n => [ 'nothing', '{{token}}' ] }, 'JSON: the template, with no secret in it');
like($requests[1]{headers}, qr/^Authorization: Bearer tok-secret\r$/m, 'the token is a header');
is(decode_json($requests[4]{body})->{routing_key}, 'routing-secret', 'the routing key is in the body');
test_alert('pager');
my @tests = map { decode_json($_->{body}) } grep { $_->{path} eq '/v2/enqueue' } $sink->requests;
is(join(' ', map { $_->{event_action} } @tests), 'trigger resolve trigger resolve', 'PagerDuty: a test opens an incident and resolves it');
is($tests[0]{dedup_key}, $tests[1]{dedup_key}, 'the same one');
isnt($tests[0]{dedup_key}, $tests[2]{dedup_key}, 'and another test another one');

my $mail = '"from": "{{password}}@example.com", "to": ["ops@example.com", "boss@example.com"]';
is(add_target('mail', 'email', sprintf('{"url": "%s", "user": "relay-user", %s}', $sink->smtps, $mail), '{"password": "mail-secret"}'),
	't: the target took the message', 'mail with TLS from the start and a login');
is(add_target('mail2', 'email', sprintf('{"url": "%s", %s}', $sink->smtp, $mail)), 't: the target took the message', 'mail with STARTTLS');
my @mails = $sink->mails;
is(scalar @mails, 2, 'two mails came');
my ($first, $second) = map { $_->{message} =~ /^Message-ID: (\S+)\r$/m } @mails;
isnt($first, $second, 'of which each has its own number');
is("$mails[0]{user} $mails[0]{password} $mails[0]{from} @{$mails[0]{to}}", 'relay-user mail-secret {{password}}@example.com ops@example.com boss@example.com', 'with login, sender and recipients');
like($mails[0]{message}, qr/^From: \{\{password\}\}\@example\.com\r$/m, 'and no secret in what it says');
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
# Let the worker look at everything so many times more, and send what it has to tell.
sub wait_for_looks
{
	my ($times) = @_;

	for (1 .. $times)
	{
		my $at = value('SELECT alerts_at FROM zcsync.installation');
		$node->poll_query_until('postgres', "SELECT alerts_at > '$at' FROM zcsync.installation") or die 'alerts are not evaluated';
	}
	$node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.alert_deliveries WHERE state IN ('waiting', 'sending'))}) or die 'messages are not sent';
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
	wait_for_looks(2) unless $options{by_hand};
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
	is_deeply($smtp, $http, "$what: the mails say the same");
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
# what doc/operations.md tells another machine to run each minute, as the role that it names
my ($ask) = slurp_file("$FindBin::Bin/../../doc/operations.md") =~ /^    (psql .* \|\| echo '[^']*') \| mail /m;
my $reachable = $node->connstr('postgres') . ' user=monitor';
ok($ask =~ s/-d '[^']*'/-d "$reachable"/, 'the line is in the documentation');
value('CREATE ROLE monitor LOGIN; GRANT USAGE ON SCHEMA zcsync TO monitor; GRANT SELECT ON zcsync.installation TO monitor');
sub ask_from_outside { return join '', run_command([ 'sh', '-c', $ask ]); }
is(ask_from_outside(), '', 'from outside: all is well');
value("UPDATE zcsync.installation SET alerts_at = now() - interval '6 minutes'");
is(ask_from_outside(), 'zcsync is silent', 'and zcsync is silent');
value("UPDATE zcsync.installation SET alerts_at = now() + interval '1 hour'");
is(ask_from_outside(), 'zcsync is silent', 'nor is all well while the clock is behind what it was');
value('UPDATE zcsync.installation SET alerts_at = zcsync._now()');
value($command);
is(scalar(() = $sink->requests), 0, 'the worker has evaluated lately: nothing is done');
value("UPDATE zcsync.installation SET alerts_at = zcsync._now() - interval '3 minutes'");
value($command);
is(scalar(() = $sink->requests), 1, 'it is silent: one alert');
like((titles())[0][0], qr/^\[critical\] zcsync postgres: stopped$/, 'that says so');
quiet();
wait_for_titles(2);

# A job of pg_cron fails, as its runs show.
sub add_run
{
	my ($number, $status) = @_;

	return value("INSERT INTO cron.job_run_details (jobid, runid, status, return_message, start_time, end_time)
		SELECT jobid, 2000000 + $number, '$status', 'connection failed', now(), now() FROM cron.job WHERE jobname LIKE 'zcsync alerts%'");
}
told_once('a job of pg_cron fails', sub { add_run(1, 'failed') }, sub { add_run(2, 'succeeded') }, qr/^\[warning\] zcsync postgres: no maintenance$/);
quiet();

# Many messages are sent after one look at the rules.
my $decide = value(q{SELECT pg_get_functiondef('zcsync._decide_alerts(interval)'::regprocedure)});
$sink->forget;
value(q{CREATE OR REPLACE FUNCTION zcsync._decide_alerts(p_silent_for interval) RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$ SELECT count(*) = 25 FROM zcsync.alert_deliveries WHERE state = 'waiting' $$;
	WITH many AS (INSERT INTO zcsync.alert_incidents (rule, object, severity, summary, began_at, resolved_at, all_clear_at)
		SELECT 'many', g::text, 'warning', 'many', now(), now(), now() FROM generate_series(1, 25) AS g RETURNING incident_id)
	INSERT INTO zcsync.alert_deliveries (incident_id, target_id, event, next_at, created_at)
	SELECT m.incident_id, t.target_id, 'alert', now(), now() FROM many AS m, zcsync.alert_targets AS t WHERE t.name = 'hook'});
wait_until($node, 'postgres', q{SELECT count(*) = 25 FROM zcsync.alert_deliveries AS d JOIN zcsync.alert_incidents AS i USING (incident_id) WHERE i.rule = 'many' AND d.state = 'sent'}, 'all messages are sent');
is(scalar(() = $sink->requests), 25, 'each once');
value("$decide; DELETE FROM zcsync.alert_incidents WHERE rule = 'many'");

# The clock of the server is set back by two hours.
conf('zcsync.clock_offset = 7200');
$node->poll_query_until('postgres', q{SELECT alerts_at > now() + interval '1 hour' FROM zcsync.installation}) or die 'alerts are not evaluated';
conf('zcsync.clock_offset = 0');
wait_until($node, 'postgres', q{SELECT alerts_at < now() + interval '1 minute' FROM zcsync.installation}, 'alerts are evaluated after the clock was set back');
quiet();

# What was sent, and could not be recorded before an error made the worker forget it, is
# sent again by the same worker.
my $offset = -s $node->logfile;
value('REVOKE EXECUTE ON FUNCTION zcsync._record_delivery FROM zcsync_worker');
$node->wait_for_log(qr/zcsync could not record what became of alerts: permission denied/, $offset);
my $worker = worker_pid($node, 'postgres');
my $unrecorded = value(q{SELECT string_agg(delivery_id::text, ',') FROM zcsync.alert_deliveries WHERE state = 'sending'});
$offset = -s $node->logfile;
value("SELECT pg_cancel_backend($worker)");
$node->wait_for_log(qr/canceling statement due to user request/, $offset);
value('SELECT FROM zcsync.setup()');
value("UPDATE zcsync.alert_deliveries SET next_at = zcsync._now() WHERE delivery_id IN ($unrecorded)");
wait_until($node, 'postgres', "SELECT bool_and(state = 'sent' AND attempts = 2) FROM zcsync.alert_deliveries WHERE delivery_id IN ($unrecorded)", 'an unrecorded message is sent again');
is(worker_pid($node, 'postgres'), $worker, 'by the worker, which lives on');
quiet();
wait_for_looks(1);

# ---------------------------------------------------------------------
# An outage of six hours
# ---------------------------------------------------------------------

value(q{UPDATE zcsync.alert_rules SET lasts = '5 minutes' WHERE measure IN ('lag', 'errors')});
my $simulator = start_simulator('--tickets', 5, '--halopsa-tickets', 3);
$simulator->post('settings', { lenient_solve => 1 });
$simulator->post('holdback', { seconds => -2 });
add_simulated_accounts($node, 'postgres', $simulator);
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}')});
value(q{SELECT FROM zcsync.add_stream('acme', 'tickets', since => '2020-01-01')});
wait_until($node, 'postgres', q{SELECT count(*) = 5 FROM zcsync.tickets}, 'tickets came');

# tickets as alerts: made once at each vendor, and closed by the all-clear
value(sprintf q{SELECT zcsync.add_account('halo', 'halopsa', settings => '{"base_url": "%s"}', credentials => '{"client_id": "client-acme", "client_secret": "secret-acme"}')}, $simulator->halopsa);
value(q{SELECT zcsync.add_stream('halo', 'tickets', since => '2000-01-01'); SELECT zcsync.alter_stream(a || '/tickets', writes => true) FROM unnest('{acme,halo}'::text[]) AS a});
wait_until($node, 'postgres', q{SELECT count(*) = 3 FROM zcsync.tickets WHERE account_id = zcsync.account('halo')}, 'tickets of HaloPSA came');
my $requester = value(q{SELECT requester_id FROM zcsync.tickets WHERE account_id = zcsync.account('halo') AND requester_id IS NOT NULL ORDER BY local_id LIMIT 1});
value(q{SELECT zcsync.add_alert_target('desk-acme', 'ticket', '{"account": "acme", "values": {"priority": "high"}, "closed": {"status": "solved"}}')});
value(sprintf q{SELECT zcsync.add_alert_target('desk-halo', 'ticket', '{"account": "halo", "values": {"form_id": "1", "requester_id": "%s"}, "closed": {"status": "9"}}')}, $requester);
value(q{UPDATE zcsync.alert_rules SET state = 'paused'; SELECT zcsync.add_alert_rule('desk', 'paused', 1, targets => '{desk-acme,desk-halo}', cool_down => '0')});
# { vendor => number of tickets that alerts made there, and the status of the last }
sub desks
{
	my %tickets = (zendesk => $simulator->get('state/tickets', account => 'acme', limit => 1000)->{tickets},
		halopsa => $simulator->get('state/halopsa/tickets', limit => 1000)->{tickets});
	my %desks;

	foreach my $vendor (keys %tickets)
	{
		my @made = grep { ($_->{subject} // $_->{summary}) eq '[warning] zcsync postgres: queue contact-sync: paused' } @{ $tickets{$vendor} };
		$desks{$vendor} = join ' ', scalar @made, map { $_->{status} // $_->{status_id} } @made;
	}
	return \%desks;
}
my $in_step = q{SELECT count(*) = 2 FROM zcsync.tickets WHERE subject LIKE '[warning]%' AND sync_state = 'synced' AND remote_id IS NOT NULL};
value(q{SELECT zcsync.pause_queue('contact-sync')});
value('CALL zcsync.evaluate_alerts()') foreach 1 .. 2;
wait_until($node, 'postgres', $in_step, 'tickets were sent');
is_deeply({ map { $_ => (split / /, desks()->{$_})[0] } qw(zendesk halopsa) }, { zendesk => 1, halopsa => 1 }, 'an alert is one ticket at each vendor');
value(q{SELECT zcsync.resume_queue('contact-sync')});
value('CALL zcsync.evaluate_alerts()') foreach 1 .. 2;
wait_until($node, 'postgres', "$in_step AND status IN ('solved', '9')", 'they were closed');
is_deeply(desks(), { zendesk => '1 solved', halopsa => '1 9' }, 'there, too');
value(q{SELECT zcsync.remove_alert_rule('desk'), zcsync.remove_alert_target('desk-acme'), zcsync.remove_alert_target('desk-halo');
	SELECT zcsync.remove_account('halo', force => true); UPDATE zcsync.alert_rules SET state = 'active'; SELECT zcsync.alter_stream('acme/tickets', writes => false)});

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
is_deeply($smtp, $http, 'likewise by mail');

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

# ---------------------------------------------------------------------
# A service that pages, and a session that listens
# ---------------------------------------------------------------------

add_pager();
add_target('listener', 'notify', '{"channel": "Ops"}');
$sink->forget;
value(q{SELECT zcsync.pause_queue('contact-sync')});
my $heard = value(q{LISTEN "Ops"; SET zcsync.clock_offset = 37200; CALL zcsync.evaluate_alerts(); SELECT 'end'});
my ($payload) = $heard =~ /^Asynchronous notification "Ops" with payload "(\{.*\})" received/m;
my %facts = %{ decode_json($payload // '{}') };
is($facts{title}, '[warning] zcsync postgres: queue contact-sync: paused', 'a session that listens is told');
is("$facts{event} $facts{to_do}", q{alert SELECT zcsync.resume_queue('contact-sync');}, 'all that there is to know');
value(q{SELECT zcsync.resume_queue('contact-sync')});
value(q{SET zcsync.clock_offset = 37300; CALL zcsync.evaluate_alerts()});
my @events = map { decode_json($_->{body}) } grep { $_->{path} eq '/v2/enqueue' } $sink->requests;
is(join(' ', map { $_->{event_action} } @events), 'trigger resolve', 'the service is told of the beginning and of the end');
is("$events[0]{dedup_key} $events[1]{dedup_key}", "$facts{key} $facts{key}", 'of the same incident');
value(q{SELECT zcsync.remove_alert_target(t) FROM unnest('{pager,listener}'::text[]) AS t});

# one that never answers holds up nobody for more than ten seconds
my $began = time;
my $silent = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
add_target('silent', 'json', sprintf('{"url": "https://127.0.0.1:%d/"}', $silent->sockport));
cmp_ok(time - $began, '<', 60, 'a target that never answers');
like(test_alert('silent'), qr/^f: /, 'is an error');
value(q{SELECT zcsync.pause_queue('contact-sync')});
$sink->forget;
$began = time;
value(q{SET zcsync.clock_offset = 37400; CALL zcsync.evaluate_alerts()});
cmp_ok(time - $began, '<', 15, 'and ends an evaluation after ten seconds');
is(value(q{SELECT string_agg(concat_ws(' ', t.name, d.event, d.state), ', ' ORDER BY t.name) FROM zcsync.alert_deliveries AS d JOIN zcsync.alert_targets AS t USING (target_id)
	WHERE d.incident_id = (SELECT max(incident_id) FROM zcsync.alert_incidents)}), 'hook alert sent, silent alert waiting', 'in which others were told');

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
