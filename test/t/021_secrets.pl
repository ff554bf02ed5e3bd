# References to secrets, and where secrets must not show up: log, activity,
# dumps, error messages.

use strict;
use warnings;

use MIME::Base64;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

$ENV{ZCSYNC_TEST_SECRET} = 'pk_from_environment';
$ENV{ZCSYNC_TEST_LINES} = "two\nlines";

my $files = PostgreSQL::Test::Utils::tempdir();
my $node = new_node('main', conf => <<CONF);
zcsync.databases = ''
zcsync.allowed_hosts = 'api.clickup.com, *.zendesk.com'
zcsync.credentials_directory = '$files'
log_statement = none
log_min_duration_statement = -1
CONF
$node->start;

# Not before: at debug3 the postmaster itself logs its whole environment.
$node->append_conf('postgresql.conf', 'log_min_messages = debug5');
$node->reload;
$node->safe_psql('postgres', 'CREATE DATABASE sync');

sub value { return $node->safe_psql('sync', $_[0]); }

sub write_file
{
	my ($name, $contents) = @_;
	open my $fh, '>', "$files/$name" or die "$name: $!";
	binmode $fh;
	print $fh $contents;
	close $fh;
}

setup_zcsync($node, 'sync');
value(q{SELECT zcsync.add_account('dev', 'clickup')});

# Does the credential that refers to this open, and if not, why?
sub status
{
	my ($reference) = @_;
	$node->psql('sync', qq{SET client_min_messages = error; SELECT zcsync.set_credentials('dev', '{"token": "$reference"}')});
	return value(q{SELECT CASE WHEN ok THEN 'ok' ELSE message || '|' || hint END FROM zcsync.check_credentials()});
}

# Files.
write_file('plain', 'pk_from_file');
write_file('newline', "pk_from_file\n");
write_file('crlf', "pk_from_file\r\n");
write_file('name with space', "pk_from_file\n");
write_file('longest', 'x' x 65536 . "\n");
symlink "$files/plain", "$files/link" or die;
is(status("file:$_"), 'ok', "file:$_ opens") foreach qw(plain newline crlf longest link), 'name with space';
write_file('two-lines', "a\nb\n");
write_file('two-ends', "a\n\n");
write_file('empty', '');
write_file('only-end', "\n");
write_file('zero', "a\0b\n");
write_file('latin1', "caf\xe9\n");
write_file('long', 'x' x 65537);
write_file('longer', 'x' x 1_000_000);
mkdir "$files/directory" or die;
POSIX::mkfifo("$files/pipe", 0600) or die;
my %fault = (
	'two-lines' => qr/contains a line break/, 'two-ends' => qr/contains a line break/, 'empty' => qr/is empty/,
	'only-end' => qr/is empty/, 'zero' => qr/contains a zero byte/, 'latin1' => qr/is not valid UTF-8/,
	'long' => qr/is longer than 65536 bytes/, 'longer' => qr/is larger than/, 'directory' => qr/is not a regular file/,
	'pipe' => qr/is not a regular file/, 'nosuch' => qr/No such file or directory\|Provide the file/);
like(status("file:$_"), $fault{$_}, "file:$_ does not") foreach sort keys %fault;

# A reference is read anew each time.
status('file:later');
like(value('SELECT message FROM zcsync.check_credentials()'), qr/No such file/, 'a file that is not there yet');
like(value(q{SELECT class FROM zcsync._call(zcsync.account('dev'), '{"op": "team"}')}), qr/config/, 'is no credential');
is(value(q{SELECT a.state || ' ' || al.code || ' ' || al.object FROM zcsync.accounts a, zcsync.alerts al WHERE al.resolved_at IS NULL}),
	'blocked credentials_unreadable dev', 'the account is blocked, with an alert of its own');
write_file('later', "pk_from_file\n");
value(q{SELECT zcsync.resume_account('dev')});
is(value(q{SELECT a.state || ' ' || count(al) FROM zcsync.accounts a LEFT JOIN zcsync.alerts al ON al.resolved_at IS NULL GROUP BY a.state}),
	'active 0', 'and works when the file is there');

# The directory.
$node->append_conf('postgresql.conf', "zcsync.credentials_directory = ''");
$node->reload;
like(status('file:plain'), qr/credentials_directory is not set\|Set zcsync.credentials_directory/, 'no directory, no files');
$node->append_conf('postgresql.conf', "zcsync.credentials_directory = '$files'");
$node->reload;

# What only superusers may refer to.
is(status("file:$files/newline"), 'ok', 'a superuser may name a file by its path');
is(status('env:ZCSYNC_TEST_SECRET'), 'ok', 'and a variable of the server');
like(status('env:ZCSYNC_TEST_LINES'), qr/contains a line break/, 'which is checked like a file');
value(q{CREATE ROLE operator LOGIN; GRANT USAGE ON SCHEMA zcsync TO operator;
	GRANT EXECUTE ON FUNCTION zcsync.set_credentials(text, jsonb) TO operator;});
sub as_operator
{
	my ($reference) = @_;
	my ($rc, $out, $err) = $node->psql('sync', qq{SELECT zcsync.set_credentials('dev', '{"token": "$reference"}')},
		extra_params => [ '-U', 'operator' ]);
	return $rc == 0 ? 'ok' : $err;
}
is(as_operator('file:plain'), 'ok', 'an operator may name a file of the directory');
like(as_operator($_), qr/permission denied for reference "\Q$_\E"/, "but not $_")
  foreach "file:$files/plain", 'env:ZCSYNC_TEST_SECRET';
like(as_operator($_), qr/invalid reference for credential/, "nor $_") foreach 'file:../plain', 'file:a/plain', 'file:..';

# No trace of a secret: not of one in a file, not of one that was given, and
# not when the statement that gave it fails.
status('file:plain');
value(q{SELECT class FROM zcsync._call(zcsync.account('dev'), '{"op": "nosuch"}')});
value(q{SELECT zcsync.set_credentials('dev', '{"token": "pk_literal"}')});
foreach my $statement (
	q{SELECT zcsync.set_credentials('nosuch', '{"token": "pk_literal"}')},
	q{SELECT zcsync.set_credentials('dev', '{"client_id": "a", "client_secret": "pk_literal"}')},
	q{SELECT zcsync.set_credentials('dev', '{"token": "pk_literal\n"}')},
	q{SELECT zcsync.add_account('dev', 'clickup', '{}', '{"token": "pk_literal"}')},
	q{SELECT zcsync.add_account('dev2', 'zendesk', '{"subdomain": "a"}', '{"token": "pk_literal"}')},
	q{DO $$BEGIN PERFORM zcsync.set_credentials('nosuch', current_setting('x.secret')::jsonb); END$$})
{
	my ($rc, $out, $err) = $node->psql('sync', $statement,
		extra_params => [], on_error_stop => 1);
	isnt($rc, 0, 'a statement with a secret fails');
	(my $message = $err) =~ s/^LINE .*//ms;
	unlike($message, qr/pk_literal/, 'and the message does not show it');
}
my $activity = value(q{SELECT string_agg(query, ' ') FROM pg_stat_activity});
my $dump = $node->data_dir . '/../dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('sync'), '-f', $dump ], 'pg_dump');
my $log = slurp_file($node->logfile);
cmp_ok(length $log, '>', 10_000, 'the log is a detailed one');
foreach my $secret ('pk_from_file', 'pk_from_environment', 'pk_literal')
{
	ok($log !~ /$secret/, "$secret is not in the log");
	ok($activity !~ /$secret/, 'nor in what sessions do');
	ok(slurp_file($dump) !~ /$secret|@{[unpack('H*', $secret)]}/, 'nor in a dump');
}

# A vendor that refuses everything and quotes what was sent: nothing of it is in
# what people see.  The secrets of all forms of authorisation, in all operations.
$node->append_conf('postgresql.conf', "zcsync.allowed_hosts = '127.0.0.1, api.clickup.com, *.zendesk.com'\nlog_min_messages = debug1");
$node->reload;
my $simulator = start_simulator('--tickets', 3, '--tasks', 3, '--halopsa-tickets', 3);
value(sprintf q{
	SELECT zcsync.add_account('basic', 'zendesk', settings => '{"subdomain": "acme", "base_url": "%1$s"}', credentials => '{"email": "admin@acme.example", "api_token": "token-acme"}');
	SELECT zcsync.add_account('oauth', 'zendesk', settings => '{"subdomain": "globex", "base_url": "%1$s"}', credentials => '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}');
	SELECT zcsync.add_account('tasks', 'clickup', settings => '{"workspace_id": "9001001", "base_url": "%2$s"}', credentials => '{"token": "pk_183_DEV"}');
	SELECT zcsync.add_account('form', 'halopsa', settings => '{"host": "acme.example", "base_url": "%3$s/api", "auth_url": "%3$s/auth"}', credentials => '{"client_id": "client-acme", "client_secret": "secret-acme"}');
	SELECT zcsync.add_stream(a, 'tickets') FROM unnest('{basic,oauth,form}'::text[]) AS a;
	SELECT zcsync.alter_stream(a || '/tickets', writes => true) FROM unnest('{basic,oauth,form}'::text[]) AS a;
	SELECT zcsync.alter_account('dev', '{"workspace_id": "1"}');
	SELECT zcsync.pause_account('dev')}, $simulator->zendesk, $simulator->clickup, $simulator->halopsa);
my @secrets = ('token-acme', 'secret-acme', 'pk_183_DEV');
foreach my $all (0, 1)
{
	# first the requests for tokens, then what is asked with them
	$simulator->no_faults;
	$simulator->post('faults', { fault => 'quote', count => 0, $all ? (path => '/api') : () });
	value(q{INSERT INTO zcsync.tickets (account_id, subject, description) SELECT zcsync.account(a), 'Quoted', 'x' FROM unnest('{basic,oauth,form}'::text[]) AS a}) if $all;
	value(q{SELECT zcsync.resume_account(a) FROM unnest('{basic,oauth,form}'::text[]) AS a; UPDATE zcsync.streams SET next_pull_at = now()});
	for (1 .. 3)
	{
		value(q{CALL zcsync.run('5 seconds')});
		value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready'});
	}
	my $seen = value(q{
		SELECT string_agg(x, E'\n') FROM (
			SELECT to_jsonb(e)::text FROM zcsync.errors e UNION ALL SELECT to_jsonb(q)::text FROM zcsync.sync_queue q
			UNION ALL SELECT to_jsonb(d)::text FROM zcsync.dead_letters d UNION ALL SELECT to_jsonb(a)::text FROM zcsync.accounts a
			UNION ALL SELECT to_jsonb(s)::text FROM zcsync.streams s UNION ALL SELECT to_jsonb(r)::text FROM zcsync.sync_records r
			UNION ALL SELECT to_jsonb(al)::text FROM zcsync.alerts al UNION ALL SELECT to_jsonb(st)::text FROM zcsync.status st
			UNION ALL SELECT to_jsonb(c)::text FROM unnest('{basic,oauth,tasks,form}'::text[]) AS a CROSS JOIN LATERAL zcsync.check_account(a) AS c
			UNION ALL SELECT to_jsonb(c)::text FROM zcsync._call(zcsync.account('tasks'), '{"op": "team"}') AS c) AS s (x)});
	cmp_ok(() = $seen =~ /refused; .*\*\*\*/g, '>', $all ? 8 : 2, 'the vendor is quoted');
	unlike($seen, qr/Bearer [0-9A-Za-z._-]{8}/, 'tokens that were fetched are hidden, too');
	my $logged = slurp_file($node->logfile);
	foreach my $secret (@secrets)
	{
		foreach my $form ($secret, substr($secret, 0, -1), encode_base64($secret, ''), encode_base64("admin\@acme.example/token:$secret", ''))
		{
			ok(index($seen, $form) < 0, "but not $form");
			ok(index($logged, $form) < 0, 'nor in the log');
		}
	}
}
$simulator->no_faults;

# When the server logs statements it is too late; the operator is told.
my (undef, undef, $warning) = $node->psql('sync',
	q{SET log_statement = 'all'; SELECT zcsync.set_credentials('dev', '{"token": "pk_logged"}')});
like($warning, qr/WARNING:  the server logs statements, and this one contains a secret.*file:NAME/s, 'a logged secret is a warning');
(undef, undef, $warning) = $node->psql('sync',
	q{SET log_statement = 'all'; SELECT zcsync.set_credentials('dev', '{"token": "file:plain"}')});
is($warning, '', 'a reference is none');

$node->stop;
done_testing();
