# What the simulator remembers, and the process itself.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Mojo::Util qw(b64_encode);
use POSIX ();
use Simulator::Process;
use Test::Mojo;
use Test::More;

my $simulator = Simulator::Process->start('--tickets', 30, '--tasks', 7, '--clickup-plan', 'none');
my $t = Test::Mojo->new;
my $dev = { Authorization => 'pk_183_DEV' };
my $acme = { Authorization => 'Basic ' . b64_encode('admin@acme.example/token:token-acme', '') };
my $info = $simulator->get('info');
my $url = $simulator->clickup . "/api/v2/list/$info->{clickup}{dev}{lists}{Bugs}/task";
my $uuid = '0b8c6c1a-9c7c-4a55-8c4e-1f0a54f3a0aa';

is $simulator->get('ledger')->{last_seq}, 0, 'seeding is no write';
$t->post_ok($url => $dev => json => { name => 'One', description => "text\n\nzcsync-$uuid" })->status_is(200);
my $id = $t->tx->res->json('/id');
$t->post_ok($url => $dev => json => { name => 'refused', priority => 9 })->status_is(400);
$t->get_ok($url => $dev)->status_is(200);
my $writes = $simulator->get('ledger')->{writes};
is scalar @$writes, 1, 'what was refused or only read is no write';
is_deeply [ @{ $writes->[0] }{qw(seq vendor account operation object status marker method)} ],
  [ 1, 'clickup', 'dev', 'create', $id, 200, $uuid, 'POST' ], 'the entry';
like $writes->[0]{body_sha256}, qr/^[0-9a-f]{64}$/, 'with a digest of the body';
$t->post_ok($url => $dev => json => { name => 'Two', description => "again zcsync-\U$uuid" })->status_is(200);
my $stats = $simulator->get('stats');
is_deeply $stats->{duplicates}{clickup}{marker}{duplicates}, 1, 'one duplicate by its marker';
is_deeply $stats->{endpoints}{clickup}{dev}{'POST api/v2/list/:list_id/task'}, { calls => 3, status => { 200 => 2, 400 => 1 } }, 'calls by endpoint and status';
is $stats->{max_calls_per_minute}{clickup}{dev}{token}, 4, 'calls in the busiest minute';

my ($open) = grep { $_->{status} ne 'closed' && $_->{status} ne 'deleted' } @{ $simulator->get('state/tickets')->{tickets} };
$t->put_ok($simulator->zendesk . "/api/v2/tickets/$open->{id}" => { %$acme, 'Idempotency-Key' => 'k' } => json => { ticket => { subject => 'New' } })->status_is(200);
$simulator->post('edit', { account => 'acme', id => $open->{id}, fields => { subject => 'Agent' } });
$writes = $simulator->get('ledger', vendor => 'zendesk')->{writes};
is_deeply [ map { "$_->{operation} $_->{object} $_->{idempotency_key}" } @$writes ], ["update $open->{id} k"], 'by vendor; what agents do is not in it';
is_deeply $simulator->get('ledger', since => 2)->{writes}, $writes, 'since a number';

my $requests = $simulator->get('requests', vendor => 'zendesk')->{requests};
is_deeply [ @{ $requests->[0] }{qw(method path body account status)} ], [ 'PUT', "/zendesk/acme/api/v2/tickets/$open->{id}", '{"ticket":{"subject":"New"}}', 'acme', 200 ], 'the request log';
is $requests->[0]{headers}{Authorization}, 'Basic ***', 'without credentials';
$simulator->post('faults', { fault => 'reset' });
eval { $t->ua->get($url => $dev) };
$stats = $simulator->get('stats')->{endpoints}{clickup}{dev};
is $stats->{'GET api/v2/list/:list_id/task'}{status}{0}, 1, 'a request without an answer is counted, too';

# dumps
my $page = $simulator->get('state/tickets', account => 'acme', limit => 20);
is_deeply [ scalar @{ $page->{tickets} }, $page->{next} ], [ 20, 20 ], 'a dump in pages';
$page = $simulator->get('state/tickets', account => 'acme', after => 20, comments => 1);
is_deeply [ scalar @{ $page->{tickets} }, $page->{next}, scalar @{ $page->{tickets}[0]{comments} } ], [ 10, undef, 1 ], 'the rest, with comments';
is scalar @{ $simulator->get('state/tasks', workspace => 'dev')->{tasks} }, 9, 'tasks, those of unshared lists too';

# the same seed, the same data
my $texts = sub { return [ map { "$_->{subject}|$_->{description}|@{ $_->{tags} }|$_->{status}" } @{ $simulator->get('state/tickets')->{tickets} } ] };
$simulator->post('reset', { tickets => 40, seed => 9 });
my $first = $texts->();
$simulator->post('reset', { tickets => 40, seed => 9 });
is_deeply $texts->(), $first, 'the same seed gives the same tickets';
is $simulator->get('ledger')->{last_seq}, 0, 'a reset clears the ledger';
$simulator->post('reset', { tickets => 40, seed => 10 });
isnt "@{ $texts->() }", "@$first", 'another seed gives others';
$simulator->post('seed', { subdomain => 'fresh', tickets => 12 });
is $simulator->get('info')->{zendesk}{fresh}{tickets}, 12, 'a new account';
$simulator->post('seed', { vendor => 'clickup', id => 9001007, name => 'third', tasks => 3 });
$t->get_ok($simulator->clickup . '/api/v2/team' => { Authorization => 'pk_183_THIRD' })->json_is('/teams/0/id', '9001007');
my $made = $simulator->post('create', { account => 'fresh', fields => { subject => 'By an agent', tags => ['bug'] } });
is $made->{id}, 13, 'an agent makes a ticket';
$made = $simulator->post('create', { workspace => 'third', list => 'Requests', fields => { name => 'By hand', status => 'planned' } });
$t->get_ok($simulator->clickup . "/api/v2/task/$made->{id}" => { Authorization => 'pk_183_THIRD' })->json_is('/status/status', 'planned');

# The process ends with its parent's end of standard input.
my $other = Simulator::Process->start;
my $pid = $other->pid;
close $other->{in};
my $ended = 0;
for (1 .. 50)
{
	$ended = waitpid($pid, POSIX::WNOHANG()) == $pid and last;
	select undef, undef, undef, 0.1;
}
ok $ended, 'no simulator outlives its test';
delete $other->{pid};

done_testing;
