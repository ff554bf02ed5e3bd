# Credentials: what lets in, what does not, and with which words.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Mojo::Util qw(b64_encode);
use Simulator::Process;
use Test::Mojo;
use Test::More;

my $simulator = Simulator::Process->start('--tickets', 20);
my $t = Test::Mojo->new;
my ($zendesk, $clickup) = ($simulator->zendesk, $simulator->clickup);
my $basic = sub ($user, $token) { return { Authorization => 'Basic ' . b64_encode("$user/token:$token", '') } };
my $admin = $basic->('admin@acme.example', 'token-acme');

# Zendesk, basic
$t->get_ok("$zendesk/api/v2/tickets/count", $admin)->status_is(200)->json_is('/count/value', 20 - 0 - @{ [ grep { $_->{status} eq 'deleted' } @{ $simulator->get('state/tickets')->{tickets} } ] });
$t->get_ok("$zendesk/api/v2/tickets/count.json", $admin)->status_is(200);
$t->get_ok("$zendesk/api/v2/tickets/count")->status_is(401)->json_is({ error => "Couldn't authenticate you" });
$t->get_ok("$zendesk/api/v2/tickets/count", $basic->('admin@acme.example', 'wrong'))->status_is(401);
$t->get_ok($simulator->zendesk('globex') . '/api/v2/tickets/count', $admin)->status_is(401, 'another account, another token');
$t->get_ok($simulator->zendesk('nobody') . '/api/v2/tickets/count', $admin)->status_is(404);
$t->get_ok("$zendesk/api/v2/users/me", $admin)->json_is('/user/email', 'admin@acme.example');
$t->get_ok("$zendesk/api/v2/users/me")->status_is(200)->json_is('/user/name', 'Anonymous user')->json_is('/user/id', undef);
$t->get_ok("$zendesk/api/v2/nothing", $admin)->status_is(404)->json_is('/error', 'InvalidEndpoint');
$t->get_ok("$zendesk/api/v2/tickets/999999", $admin)->status_is(404)->json_is('/error', 'RecordNotFound');
$t->get_ok("$zendesk/api/v2/incremental/tickets/cursor?start_time=1", $basic->('agent@acme.example', 'agent-token-acme'))->status_is(403, 'exports need an admin');

# Zendesk, OAuth
my %client = (grant_type => 'client_credentials', client_id => 'client-acme', client_secret => 'secret-acme');
my $token = sub (%more) {
	$t->post_ok("$zendesk/oauth/tokens", json => { %client, scope => 'read write', %more });
	return $t->tx->res->json;
};
my $bearer = sub ($given) { return { Authorization => "Bearer $given->{access_token}" } };
my $one = $token->(expires_in => 600);
$t->status_is(201)->json_is('/token_type', 'bearer')->json_is('/expires_in', 600)->json_hasnt('/refresh_token');
$t->get_ok("$zendesk/api/v2/tickets/count", $bearer->($one))->status_is(200);
$simulator->post('clock', { offset_seconds => 601 });
$t->get_ok("$zendesk/api/v2/tickets/count", $bearer->($one))->status_is(401)->json_is('/error', 'invalid_token');
$simulator->post('clock', { offset_seconds => 0 });
$one = $token->();
is $simulator->post('expire_tokens', { account => 'acme' })->{expired}, 2, 'two tokens expired';
$t->get_ok("$zendesk/api/v2/tickets/count", $bearer->($one))->status_is(401);
$t->get_ok("$zendesk/api/v2/tickets/count", $bearer->($token->(scope => 'nonsense')))->status_is(403)->json_is('/error/title', 'Forbidden');
my $reader = $token->(scope => 'tickets:read');
$t->get_ok("$zendesk/api/v2/tickets/count", $bearer->($reader))->status_is(200);
$t->delete_ok("$zendesk/api/v2/tickets/1", $bearer->($reader))->status_is(403);
$token->(client_secret => 'wrong');
$t->status_is(401)->json_is('/error', 'invalid_client');
$token->(expires_in => 10);
$t->status_is(400)->json_is('/error', 'invalid_request');
$t->post_ok("$zendesk/oauth/tokens", form => \%client)->status_is(400, 'a form is refused');
my $pair = $token->(grant_type => 'authorization_code', code => 'code-acme');
my $next = $token->(grant_type => 'refresh_token', refresh_token => $pair->{refresh_token});
$t->get_ok("$zendesk/api/v2/tickets/count", $bearer->($next))->status_is(200);
$t->get_ok("$zendesk/api/v2/tickets/count", $bearer->($pair))->status_is(401, 'refreshing ends the old token');

# ClickUp
$t->get_ok("$clickup/api/v2/team")->status_is(401)->json_is('/ECODE', 'OAUTH_017');
$t->get_ok("$clickup/api/v2/team", { Authorization => 'pk_1_NO' })->status_is(401)->json_is('/ECODE', 'OAUTH_025');
$t->get_ok("$clickup/api/v2/team", { Authorization => 'Bearer pk_183_DEV' })->status_is(401);
$t->get_ok("$clickup/api/v2/team", { Authorization => 'pk_183_DEV' })->status_is(200)->json_is('/teams/0/id', '9001001')->json_hasnt('/teams/1');
$t->get_ok("$clickup/api/v2/team", { Authorization => 'pk_185_BOTH' })->json_is('/teams/1/name', 'ops');
$t->post_ok("$clickup/api/v2/oauth/token", json => { client_id => 'client-clickup', client_secret => 'secret-clickup', code => 'code-ops' })->status_is(200);
my $oauth = $t->tx->res->json('/access_token');
$t->get_ok("$clickup/api/v2/team", { Authorization => "Bearer $oauth" })->json_is('/teams/0/name', 'ops');
$t->get_ok("$clickup/api/v2/team/9001002/space", { Authorization => 'pk_183_DEV' })->status_is(401)->json_is('/ECODE', 'OAUTH_027');
my $lists = $simulator->get('info')->{clickup}{dev}{lists};
$t->get_ok("$clickup/api/v2/list/$lists->{Management}", { Authorization => 'pk_183_DEV' })->status_is(401, 'a list that is not shared');
$t->get_ok("$clickup/api/v2/nothing", { Authorization => 'pk_183_DEV' })->status_is(404)->json_is('/err', 'Route not found');

my ($logged) = @{ $simulator->get('requests', path => 'oauth/tokens', limit => 1)->{requests} };
unlike $logged->{body}, qr/secret-acme/, 'the log holds no secret';
($logged) = @{ $simulator->get('requests', vendor => 'clickup', limit => 1)->{requests} };
unlike $logged->{headers}{Authorization}, qr/pk_/, 'nor a token';

done_testing;
