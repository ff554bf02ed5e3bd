# A vendor that zcsync does not know: "desk", made of the files of test/vendor
# alone.  Its connector is part of builds for tests, its SQL comes after CREATE
# EXTENSION.  It is mirrored, written and routed, to itself and to another
# vendor; and again in a build that has no Zendesk, since no vendor may need
# another one.

use strict;
use warnings;

use FindBin;
use File::Basename qw(dirname);
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use DocumentedSql;
use ZcsyncTest;

my $root = dirname($FindBin::Bin, 1) =~ s{/test$}{}r;
my $http = HTTP::Tiny->new(timeout => 60);

# A request to the desk, as an agent of its own would make it.
sub desk
{
	my ($simulator, $account, $method, $path, $body) = @_;
	my $reply = $http->request($method, $simulator->url . "/desk/$account/$path",
		{ headers => { 'X-Desk-Key' => "key-$account" }, defined $body ? (content => encode_json($body)) : () });

	die "$method $path: $reply->{status} $reply->{content}" if !$reply->{success};
	return decode_json($reply->{content});
}

sub desk_record { my ($simulator, $account, $id) = @_; return desk($simulator, $account, 'GET', "records/$id"); }

sub shows
{
	my ($record) = @_;
	return join '|', map { $record->{$_} // '' } qw(title state level);
}

# All that a vendor is for, on a server of its own.
sub try_vendor
{
	my ($name) = @_;
	my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--clickup-plan', 'none', '--lib', "$root/test/vendor", '--vendor', 'Simulator::Desk');
	my $node = new_node($name, conf => "log_statement = none\n");
	my $value = sub { return $node->safe_psql('postgres', $_[0]); };
	my $becomes = sub {
		my ($query, $expected, $what) = @_;
		return wait_until($node, 'postgres', "SELECT ($query)::text IS NOT DISTINCT FROM '$expected'", "$name: $what");
	};

	desk($simulator, 'left', 'POST', 'records', { title => "Printer $_", text => 'It smokes.', level => 'p2' }) foreach 1 .. 5;
	$node->start;
	setup_zcsync($node, 'postgres');
	$node->run_log([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', "$root/test/vendor/desk.sql" ])
	  or die 'desk.sql fails';
	$value->(sprintf <<'SQL', $simulator->url, $simulator->url, $simulator->clickup);
SET log_statement = none;
SELECT zcsync.add_account('left', 'desk', '{"desk": "left", "base_url": "%s/desk/left"}', '{"key": "key-left"}');
SELECT zcsync.add_account('right', 'desk', '{"desk": "right", "base_url": "%s/desk/right"}', '{"key": "key-right"}');
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "9001001", "plan": "enterprise", "base_url": "%s"}', '{"token": "pk_183_DEV"}');
SELECT zcsync.add_stream(a, 'tickets', since => '2000-01-01', pull_interval => '1 second') FROM unnest('{left,right}'::text[]) AS a;
SELECT zcsync.alter_stream(a || '/tickets', writes => true) FROM unnest('{left,right}'::text[]) AS a;
SELECT zcsync.add_stream('dev', 'tasks', since => '2000-01-01', pull_interval => '1 second');
SELECT zcsync.add_stream('dev', 'statuses');
SELECT zcsync.alter_stream('dev/tasks', writes => true);
SELECT count(*) FROM zcsync.discover('dev');
SQL
	is($value->(q{SELECT string_agg(item || ' ' || ok, ', ') FROM zcsync.check_account('left')}),
		'settings true, credentials true, connection true, login true', "$name: check_account() asks with the probe");

	# mirrored
	$becomes->(q{SELECT string_agg(concat_ws('/', t.remote_id, t.subject, t.status, t.priority), ' ' ORDER BY t.remote_id) FROM zcsync.tickets t WHERE t.account_id = zcsync.account('left')},
		join(' ', map { "$_/Printer $_/fresh/p2" } 1 .. 5), 'records are mirrored, page by page');
	is($value->(q{SELECT zcsync.record_url(zcsync.account('left'), 'tickets', '3')}), 'https://left.desk.example/records/3', "$name: records have addresses");
	desk($simulator, 'left', 'PUT', 'records/2', { state => 'busy' });
	$becomes->(q{SELECT t.status FROM zcsync.tickets t WHERE t.remote_id = '2'}, 'busy', 'a change there comes here');
	$value->(q{SELECT zcsync.sync_ticket('left/tickets/4')});

	# written
	$value->(q{UPDATE zcsync.tickets SET priority = 'p1', description = NULL WHERE account_id = zcsync.account('left') AND remote_id = '3'});
	$becomes->(q{SELECT t.sync_state FROM zcsync.tickets t WHERE t.remote_id = '3'}, 'synced', 'an edit here is sent');
	is(shows(desk_record($simulator, 'left', 3)), 'Printer 3|fresh|p1', "$name: an edit here is there");
	$value->(q{INSERT INTO zcsync.tickets (account_id, subject, status, priority) VALUES (zcsync.account('left'), 'Made here', 'parked', 'p4')});
	$becomes->(q{SELECT t.remote_id FROM zcsync.tickets t WHERE t.subject = 'Made here'}, '6', 'a new record is made');
	is(shows(desk_record($simulator, 'left', 6)), 'Made here|parked|p4', "$name: it has what its row has");
	# its descriptor says that it takes compressed bodies; short ones are not worth it
	$value->(q{INSERT INTO zcsync.tickets (account_id, subject, description) VALUES (zcsync.account('left'), 'Long', repeat('Text. ', 1000))});
	$becomes->(q{SELECT t.remote_id FROM zcsync.tickets t WHERE t.subject = 'Long'}, '7', 'a long one, too');
	is(desk_record($simulator, 'left', 7)->{text}, 'Text. ' x 1000, "$name: it is there as a whole");
	my @posts = grep { ($_->{headers}{'User-Agent'} // '') =~ /^zcsync/ } @{ $simulator->get('requests', vendor => 'desk', method => 'POST', limit => 100)->{requests} };
	is(join(' ', map { $_->{headers}{'Content-Encoding'} // 'plain' } @posts), 'plain gzip', "$name: its body went compressed");
	cmp_ok($posts[-1]{headers}{'Content-Length'}, '<', 1000, "$name: which makes it shorter");
	$value->(q{UPDATE zcsync.tickets SET status = 'nonsense' WHERE remote_id = '1' AND account_id = zcsync.account('left')});
	$becomes->(q{SELECT d.message FROM zcsync.dead_letters d}, 'no state nonsense', 'what is refused there is a dead letter with the reason');
	my ($rc, $out, $err) = $node->psql('postgres', q{UPDATE zcsync.tickets SET channel = 'x' WHERE remote_id = '5'});
	like($err, qr/column "channel" of tickets cannot be written/, "$name: only what the descriptor lets is written");

	# routed: to another account of the same vendor both ways, and to ClickUp
	$value->(<<'SQL');
SELECT zcsync.add_route('across', source => 'left/tickets', target => 'right/tickets', direction => 'both', filter => $$remote_id IN ('2', '6')$$);
SELECT zcsync.add_route('tasks', source => 'left/tickets', target => 'dev/tasks', filter => $$remote_id IN ('2', '3', '5')$$, create_in => 'Engineering/Product/Bugs');
SELECT zcsync.map_value('tasks', 'status', 'parked', 'in review');
SQL
	is($value->(q{SELECT string_agg(v.source_value || '>' || v.target_value, ' ' ORDER BY v.direction, v.field, v.source_value COLLATE "C") FROM zcsync.route_values v JOIN zcsync.routes r USING (route_id) WHERE r.name = 'across'}),
		join(' ', ('p1>p1 p2>p2 p3>p3 p4>p4 busy>busy finished>finished fresh>fresh parked>parked') x 2), "$name: values that mean the same are mapped, both ways");
	is($value->(q{SELECT string_agg(v.source_value || '>' || v.target_value, ' ' ORDER BY v.field, v.source_value COLLATE "C") FROM zcsync.route_values v JOIN zcsync.routes r USING (route_id) WHERE r.name = 'tasks' AND v.direction = 'forward'}),
		'p1>1 p2>2 p3>3 p4>4 busy>in progress finished>complete fresh>to do parked>in review', "$name: values of another vendor are found over their meaning");
	is($value->(q{SELECT string_agg(c.item || ': ' || c.message, ', ') FROM zcsync.check_route('across') c WHERE NOT c.ok}), '', "$name: check_route() finds nothing amiss");
	$value->(q{SELECT zcsync.resume_route(r) FROM unnest('{across,tasks}'::text[]) AS r; SELECT count(*) FROM zcsync.backfill_route('across', confirm => true); SELECT count(*) FROM zcsync.backfill_route('tasks', confirm => true)});
	$becomes->(q{SELECT string_agg(concat_ws('/', t.subject, t.status, t.priority), ' ' ORDER BY t.subject) FROM zcsync.tickets t WHERE t.account_id = zcsync.account('right') AND t.remote_id IS NOT NULL},
		'Made here/parked/p4 Printer 2/busy/p2', 'a route makes records at the vendor');
	$becomes->(q{SELECT string_agg(concat_ws('/', t.name, t.status, t.priority), ' ' ORDER BY t.name) FROM zcsync.tasks t WHERE t.remote_id IS NOT NULL},
		'Printer 2/in progress/2 Printer 3/to do/1 Printer 5/to do/2', 'and tasks of them at another one');
	my ($copy) = grep { $_->{title} eq 'Printer 2' } @{ desk($simulator, 'right', 'GET', 'records')->{records} };
	like($copy->{text}, qr{^Ticket #2\n\nIt smokes.\n\n.*https://left\.desk\.example/records/2\s*$}s, "$name: the copy says where it comes from");
	desk($simulator, 'right', 'PUT', "records/$copy->{id}", { state => 'finished' });
	$becomes->(q{SELECT t.status || ' ' || t.sync_state FROM zcsync.tickets t WHERE t.account_id = zcsync.account('left') AND t.remote_id = '2'}, 'finished synced', 'a status comes back');
	is(shows(desk_record($simulator, 'left', 2)), 'Printer 2|finished|p2', "$name: and goes to the vendor");
	$becomes->(q{SELECT t.status FROM zcsync.tasks t WHERE t.name = 'Printer 2'}, 'complete', 'and over the other route to the task');

	# The descriptor that the manual shows, with hooks like these.
	my @shown = map { $_->{sql} } grep { $_->{sql} ne '' } blocks(slurp_file("$root/doc/new-vendor.md"));
	is(scalar @shown, 1, "$name: the manual has one block of SQL");
	$value->('CREATE SCHEMA acme; ' . $value->(q{SELECT string_agg(regexp_replace(pg_get_functiondef(p.oid), '\mdesk\.', 'acme.', 'g'), ';' ORDER BY p.oid) FROM pg_proc p
		WHERE p.pronamespace = 'desk'::regnamespace AND p.proname <> 'descriptor'}));
	$value->($shown[0]);
	is($value->(q{SELECT title FROM zcsync._vendor_of('acme')}), 'Acme', "$name: it is a vendor");
	$value->('DROP SCHEMA acme CASCADE');

	# Its functions are what it is; without them its accounts stand still.
	($rc, $out, $err) = $node->psql('postgres', 'DROP FUNCTION desk.rows(bigint, text, jsonb, jsonb)');
	like($err, qr/function desk\.descriptor\(\) depends on function desk\.rows/, "$name: the descriptor depends on its hooks");
	$value->(q{SELECT zcsync.remove_account(a, force => true) FROM unnest('{left,right}'::text[]) AS a; DROP SCHEMA desk CASCADE});
	is($value->(q{SELECT count(*) FROM zcsync._vendors() v WHERE v.name = 'desk'}), '0', "$name: and it is gone with them");
	$node->stop;
	$simulator->stop;
	return;
}

try_vendor('all');

# ------------------------------------------------- a build without Zendesk

my $copy = PostgreSQL::Test::Utils::tempdir();

system('cp', '-r', map({ "$root/$_" } qw(Makefile zcsync.control sql src)), "$copy/") == 0 or die 'no copy';
mkdir "$copy/test";
system('cp', '-r', "$root/test/vendor", "$copy/test/") == 0 or die 'no copy';
system('rm', '-rf', "$copy/sql/vendor/zendesk", glob("$copy/src/connector_zendesk.*"), glob("$copy/sql/zcsync--*"));
# the two registrations: a line, and the lines of a folder
foreach my $file ('src/connector_list.h', 'sql/load_order')
{
	open my $in, '<', "$copy/$file" or die "$file: $!";
	my @lines = grep { !/zendesk/ } <$in>;
	close $in;
	open my $to, '>', "$copy/$file" or die "$file: $!";
	print $to @lines;
	close $to or die "$file: $!";
}
my $built = system("make -s -C '$copy' with_llvm=no ZCSYNC_TESTING=1 >'$copy/build.log' 2>&1 && make -s -C '$copy' install with_llvm=no ZCSYNC_TESTING=1 DESTDIR='$copy/dest' >>'$copy/build.log' 2>&1");
is($built, 0, 'a build without Zendesk succeeds') or diag(slurp_file("$copy/build.log"));
{
	local $ENV{ZCSYNC_DEST} = "$copy/dest";
	chmod 0755, $copy;
	try_vendor('without') if $built == 0;
}

done_testing();
