# Files of comments are copied between all three vendors, through a worker whose memory
# does not grow, each once; what cannot be copied is a row that says why.

use strict;
use warnings;

use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 0, tasks => 0, simulator => [ '--halopsa-plan', 'none', '--halopsa-tickets', 3 ],
	conf => "zcsync.attachment_hosts = 'localhost'\nzcsync.attachment_max_size = '50MB'\nzcsync.request_timeout = 20s\n");
my ($node, $simulator) = ($flow->node, $flow->simulator);
my ($true, $wide) = (JSON::PP::true(), '{"calls": 100000, "concurrency": 10}');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }

ok($flow->mirror(comments => 'linked'), 'two vendors are read');
value(sprintf q{SELECT zcsync.add_account('psa', 'halopsa', '{"base_url": "%s", "tenant": "acme", "budgets": {"api": %s, "token": {"calls": 1000}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme"}')}, $simulator->halopsa, $wide);
value(q{SELECT zcsync.add_stream('psa', 'tickets', since => '2000-01-01', pull_interval => '1 second', comments => 'linked')});
value("SELECT zcsync.alter_stream('$_', writes => true)") for qw(acme/tickets psa/tickets);
value("SELECT zcsync.add_stream('psa', '$_')") for qw(fields statuses);

# a pair for each two vendors
my $list = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
my @tickets = map { $simulator->post('create', { account => 'acme', fields => { subject => "Ticket $_" } })->{id} } 1, 2;
my @tasks = map { $simulator->post('create', { workspace => 'dev', list => $list, fields => { name => "Task $_" } })->{id} } 1, 3;
my @halo = map { $simulator->post('create', { vendor => 'halopsa', account => 'acme', fields => { summary => "Halo $_" } })->{id} } 2, 3;
$flow->settle('the records are read');
value(<<"SQL");
SELECT zcsync.add_route('bugs', source => 'acme/tickets', target => 'dev/tasks', filter => \$\$subject = 'Ticket 1'\$\$, create_in => '$list');
SELECT zcsync.add_route('desk', source => 'acme/tickets', target => 'psa/tickets', filter => \$\$subject = 'Ticket 2'\$\$, create_in => '1');
SELECT zcsync.add_route('work', source => 'dev/tasks', target => 'psa/tickets', filter => \$\$name = 'Task 3'\$\$, create_in => '1');
SELECT zcsync.link_records('acme/tickets/$tickets[0]', 'dev/tasks/$tasks[0]'), zcsync.link_records('acme/tickets/$tickets[1]', 'psa/tickets/$halo[0]'),
	zcsync.link_records('dev/tasks/$tasks[1]', 'psa/tickets/$halo[1]');
UPDATE zcsync.links l SET route_id = r.route_id, state = 'linked' FROM zcsync.routes r JOIN zcsync.streams s ON s.stream_id = r.source_stream_id JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
WHERE (s.account_id, t.account_id) = (l.source_account, l.target_account);
SELECT zcsync.set_route_comments(name, comments => 'public', comments_back => 'public', attachments => 'copy') FROM zcsync.routes ORDER BY name;
UPDATE zcsync.routes SET state = 'active';	-- what they would need to make records is not here
SQL

# Comments are looked after now, and what is due is done.
sub look
{
	my ($what, $sql) = @_;

	value('UPDATE zcsync.streams SET comments_at = zcsync._now() WHERE comments_at IS NOT NULL');
	$flow->polls;
	value('UPDATE zcsync.conversations SET due_at = zcsync._now()');
	return wait_until($node, 'postgres', $sql, $what);
}
my $ended = q{SELECT count(*) FROM zcsync.attachment_copies k JOIN zcsync.attachments a ON a.local_id = k.attachment_id WHERE k.state IN ('copied', 'linked', 'skipped') AND a.name};
sub files { return sort { $a->{id} cmp $b->{id} } @{ $simulator->get('state/files')->{files} } }
sub received { my ($name) = @_; return join '; ', map { "$_->{vendor} $_->{size}" } grep { $_->{name} eq $name } files() }
sub rows { return value("SELECT a.name, k.state, k.reason FROM zcsync.attachment_copies k JOIN zcsync.attachments a ON a.local_id = k.attachment_id WHERE a.name ~ '$_[0]' ORDER BY a.name"); }

look('all is read', q{SELECT count(*) = 6 AND bool_and(read_at IS NOT NULL) FROM zcsync.conversations});

# every direction
$simulator->post('touch', { account => 'acme', id => $tickets[0], text => 'one', public => $true, files => [ { file_name => 'a-d.txt', content => 'from acme to dev' } ] });
$simulator->post('touch', { account => 'acme', id => $tickets[1], text => 'two', public => $true, files => [ { file_name => 'a-p.txt', content => 'from acme to psa!' } ] });
$simulator->post('touch', { workspace => 'dev', id => $tasks[0], text => 'three', in_comment => $true, files => [ { id => 'f1.txt', title => 'd-a.txt', content => 'from dev to acme!!' } ] });
$simulator->post('touch', { workspace => 'dev', id => $tasks[1], text => 'four', in_comment => $true, files => [ { id => 'f2.txt', title => 'd-p.txt', content => 'from dev to psa!!!!' } ] });
$simulator->post('touch', { vendor => 'halopsa', account => 'acme', id => $halo[0], text => 'five', public => $true, files => [ { id => 501, filename => 'p-a.txt', content => 'from psa to acme', link => $true } ] });
$simulator->post('touch', { vendor => 'halopsa', account => 'acme', id => $halo[1], text => 'six', public => $true, files => [ { id => 502, filename => 'p-d.txt', content => 'from psa to dev' } ] });
ok(look('all are done', "SELECT ($ended ~ '^.-.[.]txt') = 6"), 'six files, one in each direction') or diag(rows('txt'), value('SELECT operation, state, last_error, payload, run_at FROM zcsync.sync_queue'));
is(rows('^.-.[.]txt'), join("\n", map { "$_.txt|copied|" } qw(a-d a-p d-a d-p p-a p-d)), 'are copied');
is(join(', ', map { received("$_.txt") } qw(a-d a-p d-a d-p p-a p-d)), 'clickup 16, halopsa 17, zendesk 18, halopsa 19, zendesk 16, clickup 15', 'and arrived once');
my %sum = map { $_->{name} => $_->{sha256} } files();
my $sums = join ' ', map { "WHEN '$_' THEN '$sum{$_}'" } sort keys %sum;
is(value("SELECT count(*) FROM zcsync.attachment_copies k JOIN zcsync.attachments a ON a.local_id = k.attachment_id WHERE a.checksum = (CASE a.name $sums END)"), 6, 'with their checksums');
my ($private) = map { $_->{shown} } grep { $_->{name} eq 'd-p.txt' } files();
ok(!$private, 'a file of an internal action is hidden from users');
my %ticket = map { $_->{id} => $_ } @{ $simulator->get('state/tickets', account => 'acme', comments => 1)->{tickets} };
is(join(', ', map { "$_->{attachments}[0]{file_name}: " . ($_->{public} ? 'public' : 'private') } grep { $_->{attachments}[0] } map { @{ $ticket{$_}{comments} } } @tickets),
	'a-d.txt: public, d-a.txt: private, a-p.txt: public, p-a.txt: private', 'at Zendesk a file is in its comment, which is private');

# what comes back with the next read is known
look('all is read again', 'SELECT bool_and(due_at IS NULL) FROM zcsync.conversations');
is(value('SELECT count(*) FROM zcsync.attachment_copies'), 6, 'nothing comes back');
# ClickUp's own are read with the whole task, which nothing here asks for
ok(look('the copies are read', "SELECT count(*) = 4 FROM zcsync.attachments f JOIN zcsync.attachments o ON o.local_id = f.source_id JOIN zcsync.accounts a ON a.account_id = f.account_id
	WHERE o.name = f.name AND o.account_id <> f.account_id AND a.name <> 'dev' AND f.checksum = (CASE o.name $sums END)"), 'and the copies say of which files they are copies')
	or diag(value('SELECT account_id, remote_id, name, checksum, local_id, source_id FROM zcsync.attachments'));

# a large one
my ($pid) = split /\n/, value(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'zcsync worker'});
sub peak { my ($line) = grep { /VmHWM/ } split /\n/, slurp_file("/proc/$pid/status"); return $line =~ /(\d+)/ ? $1 : die }
my $before = peak();
$simulator->post('touch', { account => 'acme', id => $tickets[1], text => 'large', public => $true, files => [ { file_name => 'large.bin', bytes => 40 * 1024 * 1024 } ] });
ok(look('40 MB are copied', "SELECT ($ended = 'large.bin') = 1"), '40 MB');
is(rows('large'), 'large.bin|copied|', 'are copied') or diag(value('SELECT * FROM zcsync.errors'));
is(received('large.bin'), 'halopsa 41943040', 'as a whole');
cmp_ok(peak() - $before, '<', 16 * 1024, 'in a worker that did not grow');
is(value(q{SELECT count(*) FROM pg_ls_tmpdir()}), 0, 'nothing is left in temporary files');

# what goes wrong
$simulator->post('faults', [
	{ fault => 'status', status => 422, body => { error => 'RecordInvalid', details => { base => [ { description => 'the upload token has expired' } ] } }, vendor => 'zendesk', method => 'PUT', path => '/tickets/', match_body => 'uploads' },
	{ fault => 'reset_after', vendor => 'clickup', method => 'POST', path => '/attachment', match_body => '' },
	{ fault => 'status', status => 413, body => { err => 'File too large', ECODE => 'GBUSED_005' }, vendor => 'clickup', method => 'POST', path => '/attachment', skip => 0, count => 1 } ]);
$simulator->post('touch', { workspace => 'dev', id => $tasks[0], text => 'seven', in_comment => $true, files => [ { id => 'f3.txt', title => 'expired.txt', content => 'with an old token' } ] });
$simulator->post('touch', { account => 'acme', id => $tickets[0], text => 'eight', public => $true, files => [ { file_name => 'lost.txt', content => 'whose reply is lost' } ] });
look('the first of them is sent', q{SELECT count(*) > 0 FROM zcsync.sync_queue WHERE operation = 'upload' AND state = 'ready' AND last_class IS NOT NULL});
$simulator->post('touch', { account => 'acme', id => $tickets[0], text => 'nine', public => $true, files => [
	{ file_name => 'too-large.txt', content => 'that ClickUp does not take' },
	{ file_name => 'bad.exe', content => 'MZ' },
	{ file_name => 'huge.bin', content => 'x', size => 60 * 1024 * 1024 },
	{ file_name => 'sick.txt', content => 'x', malware_scan_result => 'malware_found' } ] });
$simulator->post('touch', { account => 'acme', id => $tickets[1], text => 'eleven', public => $true, files => [ { file_name => 'late.txt', content => 'searched by now', malware_scan_result => 'not_scanned', scanned => 'malware_not_found' } ] });
$simulator->post('touch', { workspace => 'dev', id => $tasks[1], text => 'ten', in_comment => $true, files => [
	{ id => 'f4.txt', title => 'gone.txt', content => 'x', gone => $true },
	{ id => 'f5.txt', title => 'login.txt', content => 'x', page => $true },
	{ id => 'f6.txt', title => 'afar.txt', content => 'x', elsewhere => 'files.example' } ] });
$simulator->post('touch', { vendor => 'halopsa', account => 'acme', id => $halo[1], text => 'twelve', public => $true, files => [ { id => 503, filename => 'steal.json', content => 'x', link => $simulator->halopsa . '/api/Users' } ] });
look('what was lost is waited for', "SELECT ($ended IN ('too-large.txt', 'bad.exe', 'huge.bin', 'sick.txt', 'late.txt', 'gone.txt', 'login.txt', 'afar.txt', 'steal.json')) = 9")
	or diag(value('SELECT operation, state, last_error, payload, run_at FROM zcsync.sync_queue'));
$flow->advance(40);
look('all are done', "SELECT ($ended IN ('expired.txt', 'lost.txt')) = 2") or diag(value('SELECT operation, state, last_error, payload, run_at FROM zcsync.sync_queue'));
is(rows('(expired|lost|late)[.]txt'), "expired.txt|copied|\nlate.txt|copied|\nlost.txt|copied|", 'sent again, looked up, searched');
is(received('lost.txt'), 'clickup 19', 'what arrived is not sent again');
is(rows('(too-large|bad|huge|sick|steal|gone|login|afar)[.]'), <<'ROWS' =~ s/\n\z//r, 'why the others were not copied');
afar.txt|linked|host "files.example" is not in "zcsync.attachment_hosts"
bad.exe|linked|files of its type are not copied
gone.txt|linked|NoSuchKey (HTTP status 404)
huge.bin|linked|it is larger than 50 MB
login.txt|linked|a web page came instead of it
sick.txt|linked|malware was found in it
steal.json|linked|host "127.0.0.1" is not in "zcsync.attachment_hosts"
too-large.txt|linked|File too large (GBUSED_005) (HTTP status 413)
ROWS
my ($nine) = map { $_->{comment_text} } grep { $_->{comment_text} =~ /nine/ } map { @{ $_->{comments} } } @{ $simulator->get('state/tasks', workspace => 'dev', comments => 1)->{tasks} };
like($nine, qr/File: \S+ .*File: /s, 'their comment names them');
is(value(q{SELECT count(*) FROM zcsync.errors WHERE message LIKE '%files of comments that could not be copied: %'}), 2, 'errors are shown');
is(join(', ', map { $_->{path} } grep { $_->{vendor} eq 'content' && $_->{headers}{Authorization} } $flow->requests), '', 'no credentials went elsewhere');
is(value('SELECT count(*) FROM zcsync.dead_letters'), 0, 'no job is left over');

done_testing();
