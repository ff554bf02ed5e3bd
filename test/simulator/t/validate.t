# The simulator's replies, and requests as a client sends them, against the
# vendors' own OpenAPI documents.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Mojo::JSON qw(encode_json false true);
use Mojo::UserAgent;
use Mojo::Util qw(b64_encode);
use Simulator::OpenAPI;
use Simulator::Process;
use Test::More;

my $documents = Simulator::OpenAPI->load
  or plan skip_all => 'the vendors\' OpenAPI documents are not here; ZCSYNC_VENDOR_DOCS may say where they are';

my $simulator = Simulator::Process->start('--tickets', 200, '--tasks', 30, '--zendesk-plan', 'none', '--clickup-plan', 'none');
my $ua = Mojo::UserAgent->new;
my $info = $simulator->get('info');
my %base = (zendesk => $simulator->zendesk, clickup => $simulator->clickup);
my %auth = (
	zendesk => { Authorization => 'Basic ' . b64_encode('admin@acme.example/token:token-acme', '') },
	clickup => { Authorization => 'pk_183_DEV' });

# Make a request and check it and its reply; returns the reply.
sub try ($vendor, $method, $path, $body = undef)
{
	my $tx = $ua->build_tx($method => "$base{$vendor}$path" => $auth{$vendor} => defined $body ? (json => $body) : ());
	my $res = $ua->start($tx)->res;
	my ($bare, $query) = split /\?/, $path, 2;

	is_deeply [ $documents->check_request($vendor, $method, $bare, $query, defined $body ? encode_json($body) : undef) ], [], "request $method $bare";
	is_deeply [ $documents->check_reply($vendor, $method, $bare, $res->code, $res->body) ], [], "reply $method $bare";
	return $res->json;
}

# Zendesk
try(zendesk => GET => '/api/v2/incremental/tickets/cursor?start_time=0&per_page=500&include=users');
try(zendesk => GET => '/api/v2/incremental/users/cursor?start_time=0');
try(zendesk => GET => $_) for qw(/api/v2/tickets/count /api/v2/tickets /api/v2/tickets/show_many?ids=1 /api/v2/ticket_fields
  /api/v2/custom_statuses /api/v2/users/me /api/v2/groups /api/v2/deleted_tickets);
my $made = try(
	zendesk => POST => '/api/v2/tickets',
	{ ticket => { subject => 'S', comment => { body => 'text', public => true }, priority => 'normal', tags => ['a'], external_id => 'x', custom_fields => [ { id => 360000000030, value => 'product_api' } ] } });
my $id = $made->{ticket}{id};
try(zendesk => GET => "/api/v2/tickets/$id");
try(zendesk => PUT => "/api/v2/tickets/$id", { ticket => { status => 'pending', comment => { body => 'note', public => false } } });
try(zendesk => GET => "/api/v2/tickets/$id/comments");
my $job = try(zendesk => PUT => "/api/v2/tickets/update_many?ids=$id", { ticket => { priority => 'low' } });
try(zendesk => GET => "/api/v2/job_statuses/$job->{job_status}{id}");
try(zendesk => DELETE => "/api/v2/tickets/$id");

# ClickUp
my $list = $info->{clickup}{dev}{lists}{Bugs};
my $space = try(clickup => GET => '/api/v2/team/9001001/space?archived=false')->{spaces}[0]{id};
my $folder = try(clickup => GET => "/api/v2/space/$space/folder")->{folders}[0]{id};
try(clickup => GET => $_) for '/api/v2/team', "/api/v2/space/$space/list", "/api/v2/folder/$folder/list", "/api/v2/list/$list", "/api/v2/list/$list/field",
  "/api/v2/list/$list/task?page=0&include_closed=true&subtasks=true&order_by=updated&reverse=true&date_updated_gt=1700000000000",
  "/api/v2/team/9001001/task?page=0&list_ids[]=$list";
my $task = try(clickup => POST => "/api/v2/list/$list/task", { name => 'N', description => 'd', status => 'to do', priority => 3, assignees => [183], tags => ['a'], due_date => 1508369194377, notify_all => false });
try(clickup => GET => "/api/v2/task/$task->{id}?include_markdown_description=true");
try(clickup => PUT => "/api/v2/task/$task->{id}", { status => 'in review', priority => 1, due_date => undef, assignees => { add => [184], rem => [183] } });
my ($text) = grep { $_->{type} eq 'text' } @{ $task->{custom_fields} };
try(clickup => POST => "/api/v2/task/$task->{id}/field/$text->{id}", { value => 'x' });
try(clickup => POST => "/api/v2/task/$task->{id}/tag/b");
try(clickup => POST => "/api/v2/task/$task->{id}/comment", { comment_text => 'c', notify_all => false });
try(clickup => GET => "/api/v2/task/$task->{id}/comment");
try(clickup => DELETE => "/api/v2/task/$task->{id}/field/$text->{id}");
try(clickup => DELETE => "/api/v2/task/$task->{id}");

# The check itself finds what it should.
my @bad = (
	[ 'no such operation', clickup => GET => '/api/v2/nothing', '', undef ],
	[ 'page: "x" is no integer', clickup => GET => '/api/v2/list/1/task', 'page=x', undef ],
	[ 'date_update_gt is not known', clickup => GET => '/clickup/api/v2/list/1/task', 'date_update_gt=1', undef ],
	[ 'body.name is missing', clickup => POST => '/api/v2/list/1/task', '', '{"description":"x"}' ],
	[ 'body.priority is a string', clickup => PUT => '/api/v2/task/a', '', '{"priority":"3"}' ],
	[ 'body.custom_fields is not known', clickup => PUT => '/api/v2/task/a', '', '{"custom_fields":[]}' ],
	[ 'body.assignees is a', clickup => PUT => '/api/v2/task/a', '', '{"assignees":[1]}' ],
	[ 'body is not JSON', clickup => PUT => '/api/v2/task/a', '', '{' ],
	[ 'not one of the values', zendesk => PUT => '/zendesk/acme/api/v2/tickets/1', '', '{"ticket":{"priority":"huge"}}' ],
	[ 'body.ticket.subject is an integer', zendesk => POST => '/api/v2/tickets', '', '{"ticket":{"comment":{"body":"x"},"subject":5}}' ]);
for my $bad (@bad)
{
	my ($expected, @request) = @$bad;
	like join("\n", $documents->check_request(@request)), qr/\Q$expected/, $expected;
}

done_testing;
