# Rate limits and what the replies say of them.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Mojo::Util qw(b64_encode);
use Simulator::Process;
use Test::Mojo;
use Test::More;

my $simulator = Simulator::Process->start('--tickets', 20, '--zendesk-plan', 'professional', '--clickup-plan', 'free');
my $t = Test::Mojo->new;
my $base = $simulator->zendesk . '/api/v2';
my $auth = { Authorization => 'Basic ' . b64_encode('admin@acme.example/token:token-acme', '') };
my $dev = { Authorization => 'pk_183_DEV' };

# The export's own limit answers in JSON.
for my $n (1 .. 10)
{
	$t->get_ok("$base/incremental/tickets/cursor?start_time=0" => $auth)->status_is(200);
}
$t->header_like('zendesk-ratelimit-incremental-exports-cursor', qr/^total=10; remaining=0; resets=\d+$/);
$t->get_ok("$base/incremental/tickets/cursor?start_time=0" => $auth)->status_is(429)->json_is('/error', 'APIRateLimitExceeded')->header_like('Retry-After', qr/^\d+$/);
$t->get_ok("$base/tickets/count" => $auth)->status_is(200, 'other calls go on')->header_is('X-Rate-Limit', 400)->header_like('ratelimit-reset', qr/^\d+$/);
$simulator->post('clock', { advance_seconds => 61 });
$t->get_ok("$base/incremental/tickets/cursor?start_time=0" => $auth)->status_is(200, 'a minute later it works');

# The account's limit answers in plain text.
$simulator->post('limits', { vendor => 'zendesk', account => 'acme', class => 'account', calls => 3 });
$t->get_ok("$base/tickets/count" => $auth)->status_is(200)->header_is('X-Rate-Limit-Remaining', 3 - $_) for 1 .. 3;
$t->get_ok("$base/tickets/count" => $auth)->status_is(429)->content_type_like(qr{text/plain})->content_is('Number of allowed API requests per minute exceeded')->header_like('Retry-After', qr/^\d+$/);
$t->get_ok($simulator->zendesk('globex') . '/api/v2/tickets/count' => { Authorization => 'Basic ' . b64_encode('admin@globex.example/token:token-globex', '') })->status_is(200, 'another account has its own');
$simulator->post('limits', { vendor => 'zendesk', class => 'account', account => 'acme', calls => undef });
$t->get_ok("$base/tickets/count" => $auth)->status_is(200)->header_is('X-Rate-Limit', undef);

# Updates of one ticket.
my ($open) = grep { $_->{status} ne 'closed' && $_->{status} ne 'deleted' } @{ $simulator->get('state/tickets')->{tickets} };
my $update = sub ($n) { $t->put_ok("$base/tickets/$open->{id}" => $auth => json => { ticket => { subject => "Change $n" } }) };
$update->($_)->status_is(200) for 1 .. 30;
$update->(31)->status_is(429)->content_type_like(qr{text/plain});

# ClickUp
my $clickup = $simulator->clickup . '/api/v2';
$t->get_ok("$clickup/team" => $dev)->status_is(200)->header_is('X-RateLimit-Limit', 100)->header_is('X-RateLimit-Remaining', 99);
cmp_ok abs($t->tx->res->headers->header('X-RateLimit-Reset') - time - 60 - 61), '<', 3, 'reset is a time in seconds, by the vendor\'s clock';
$simulator->post('limits', { vendor => 'clickup', class => 'token', calls => 1 });
$t->get_ok("$clickup/team" => $dev)->status_is(200);
$t->get_ok("$clickup/team" => $dev)->status_is(429)->json_is({ err => 'Rate limit reached', ECODE => 'APP_002' })->header_is('Retry-After', undef);
$t->get_ok("$clickup/team" => { Authorization => 'pk_184_OPS' })->status_is(200, 'limits are per token');
$simulator->post('limits', { vendor => 'clickup', plan => 'none' });
$t->get_ok("$clickup/team" => $dev)->status_is(200)->header_is('X-RateLimit-Limit', undef);

is $simulator->get('stats')->{max_calls_per_minute}{zendesk}{acme}{export}, 12, 'the busiest minute is counted, refusals too';

done_testing;
