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
  or plan skip_all => "the vendors' documents are not here";

my $simulator = Simulator::Process->start('--tickets', 200, '--tasks', 30, '--zendesk-plan', 'none', '--clickup-plan', 'none', '--halopsa-plan', 'none', '--halopsa-tickets', 60, '--halopsa-leads', 10);
my $ua = Mojo::UserAgent->new;
my $info = $simulator->get('info');
my %base = (zendesk => $simulator->zendesk, clickup => $simulator->clickup, halopsa => $simulator->halopsa);
my $token = $ua->post("$base{halopsa}/auth/token" => form => { grant_type => 'client_credentials', client_id => 'client-acme', client_secret => 'secret-acme' })->res->json->{access_token};
my %auth = (
	zendesk => { Authorization => 'Basic ' . b64_encode('admin@acme.example/token:token-acme', '') },
	clickup => { Authorization => 'pk_183_DEV' },
	halopsa => { Authorization => "Bearer $token" });

# Make a request and check it and its reply; returns the reply.  A body that is
# no structure is that of a file.
sub try ($vendor, $method, $path, $body = undef)
{
	my $tx = $ua->build_tx($method => "$base{$vendor}$path" => $auth{$vendor} => !defined $body ? () : ref $body ? (json => $body) : $body);
	my $res = $ua->start($tx)->res;
	my ($bare, $query) = split /\?/, $path, 2;

	is_deeply [ $documents->check_request($vendor, $method, $bare, $query, ref $body ? encode_json($body) : undef) ], [], "request $method $bare";
	is_deeply [ $documents->check_reply($vendor, $method, $bare, $res->code, $res->body) ], [], "reply $method $bare";
	return $res->json;
}

# Upload what is no document: as the body, or as a form.
sub upload ($vendor, $path, $headers, @body)
{
	my $res = $ua->start($ua->build_tx(POST => "$base{$vendor}$path" => { %{ $auth{$vendor} }, %$headers } => @body))->res;
	my ($bare, $query) = split /\?/, $path, 2;

	is_deeply [ $documents->check_request($vendor, 'POST', $bare, $query, undef) ], [], "request POST $bare";
	is_deeply [ $documents->check_reply($vendor, 'POST', $bare, $res->code, $res->body) ], [], "reply POST $bare";
	return $res->json;
}

# Where the content of a file is, the reply to a request for it, and one without credentials.
sub content ($vendor, $url)
{
	my $res = $ua->max_redirects(0)->get($url => $auth{$vendor})->res;

	return $res->is_redirect ? $ua->get($res->headers->location)->res->body : $res->body;
}

# Zendesk
try(zendesk => GET => '/api/v2/incremental/tickets/cursor?start_time=0&per_page=500&include=users');
try(zendesk => GET => '/api/v2/incremental/users/cursor?start_time=0');
try(zendesk => GET => $_) for qw(/api/v2/tickets/count /api/v2/tickets /api/v2/tickets/show_many?ids=1 /api/v2/ticket_fields
  /api/v2/custom_statuses /api/v2/users/me /api/v2/groups /api/v2/deleted_tickets /api/v2/deleted_tickets?sort_by=deleted_at&sort_order=desc&per_page=100&page=1 /api/v2/groups?page[size]=2
  /api/v2/brands?page[size]=100 /api/v2/ticket_forms?page[size]=100 /api/v2/organizations?page[size]=100
  /api/v2/incremental/organizations?start_time=0&per_page=1000 /api/v2/search?query=type:ticket+status:open /api/v2/search/count?query=printer
  /api/v2/search/export?query=printer&filter[type]=ticket&page[size]=10);
my $made = try(
	zendesk => POST => '/api/v2/tickets',
	{ ticket => { subject => 'S', comment => { body => 'text', public => true }, priority => 'normal', tags => ['a'], external_id => 'x', custom_fields => [ { id => 360000000030, value => 'product_api' } ] } });
my $id = $made->{ticket}{id};
try(zendesk => GET => "/api/v2/tickets/$id");
try(zendesk => PUT => "/api/v2/tickets/$id", { ticket => { status => 'pending', comment => { body => 'note', public => false } } });
try(zendesk => PUT => "/api/v2/tickets/$id", { ticket => { comment => { body => 'said', public => true } } });
my $agent = try(zendesk => GET => '/api/v2/users/me')->{user}{id};
is_deeply(try(zendesk => PUT => "/api/v2/tickets/$id",
	{ ticket => { type => 'incident', problem_id => 1, followers => [ { user_id => $agent, action => 'put' } ], email_ccs => [ { user_id => $agent, action => 'put' } ] } })->{ticket}{follower_ids}, [$agent], 'followers');
my $page = try(zendesk => GET => "/api/v2/tickets/$id/comments?include=users&include_inline_images=true&page[size]=1");
is scalar @{ $page->{comments} }, 1, 'a page of one comment';
my ($loser, $winner) = map { $_->{id} } grep { $_->{status} eq 'open' } @{ $simulator->get('state/tickets')->{tickets} };
try(zendesk => POST => "/api/v2/tickets/$winner/merge", { ids => [$loser], target_comment => 'Combined', source_comment => 'Closed' });
try(zendesk => POST => '/api/v2/users/create_or_update', { user => { name => 'New', email => 'new@example.com', skip_verify_email => true } });
is try(zendesk => GET => '/api/v2/users/search?query=email%3A%22New%40example.com%22')->{users}[0]{name}, 'New', 'found by the address';
is try(zendesk => GET => "/api/v2/tickets/$id/audits?include=users&page[size]=100")->{audits}[-1]{author_id}, $agent, 'who did what';
$simulator->post('catalogue', { vendor => 'zendesk', catalogue => 'suspended_tickets', fields => { subject => 'Win', cause => 'Detected as spam', author => { id => undef, name => 'W', email => 'w@spam.example' } } });
is scalar @{ try(zendesk => GET => '/api/v2/suspended_tickets?page[size]=100')->{suspended_tickets} }, 1, 'a suspended ticket';
my @comments = @{ try(zendesk => GET => "/api/v2/tickets/$id/comments?include=users&include_inline_images=true&page[size]=100&page[after]=$page->{meta}{after_cursor}")->{comments} };
try(zendesk => PUT => "/api/v2/tickets/$id/comments/$comments[1]{id}/make_private");
try(zendesk => PUT => "/api/v2/comment_redactions/$comments[0]{id}", { ticket_id => $id, html_body => '<p><redact>note</redact></p>' });
is_deeply [ map { [ $_->{public}, $_->{body} ] } @{ try(zendesk => GET => "/api/v2/tickets/$id/comments")->{comments} } ],
  [ [ true, 'text' ], [ false, "\x{2587}" x 4 ], [ false, 'said' ] ], 'one redacted, one made private';
$simulator->post('holdback', { seconds => -5 });
my $events = try(zendesk => GET => '/api/v2/incremental/ticket_events?start_time=0&include=comment_events');
is_deeply [ map { $_->{type} } grep { $_->{type} =~ /Comment/ } map { @{ $_->{child_events} } } grep { $_->{ticket_id} == $id } @{ $events->{ticket_events} } ],
  [qw(Comment Comment Comment CommentPrivacyChange CommentRedactionEvent)], 'events of comments';
my $organization = try(zendesk => POST => '/api/v2/organizations/create_or_update', { organization => { name => 'Hooli', external_id => 'h-1' } })->{organization};
is try(zendesk => POST => '/api/v2/organizations/create_or_update', { organization => { name => 'Hooli XYZ', external_id => 'h-1' } })->{organization}{id}, $organization->{id}, 'found by its external id';
is try(zendesk => GET => "/api/v2/organizations/show_many?ids=$organization->{id}")->{organizations}[0]{name}, 'Hooli XYZ', 'an organization, renamed';
my $field = try(zendesk => GET => '/api/v2/ticket_fields')->{ticket_fields}[-1];
is try(zendesk => GET => "/api/v2/ticket_fields/$field->{id}")->{ticket_field}{title}, $field->{title}, 'one field';
my $upload = try(zendesk => POST => '/api/v2/uploads?filename=a.txt', 'a small file')->{upload};
is try(zendesk => GET => "/api/v2/attachments/$upload->{attachment}{id}")->{attachment}{size}, 12, 'an uploaded file';
my $with_file = { ticket => { comment => { body => 'see', public => false, uploads => [ $upload->{token} ] } } };
try(zendesk => PUT => "/api/v2/tickets/$id", $with_file);
is try(zendesk => GET => "/api/v2/tickets/$id/comments")->{comments}[-1]{attachments}[0]{id}, $upload->{attachment}{id}, 'that is in a comment now';
is $ua->put("$base{zendesk}/api/v2/tickets/$id", $auth{zendesk}, json => $with_file)->res->code, 422, 'and whose token has ended';
my $job = try(zendesk => PUT => "/api/v2/tickets/update_many?ids=$id", { ticket => { priority => 'low' } });
try(zendesk => GET => "/api/v2/job_statuses/$job->{job_status}{id}");
$simulator->post('touch', { account => 'acme', id => $id, text => 'see', files => [ { file_name => 'a.png', content_type => 'image/png', inline => true } ] });
is try(zendesk => GET => "/api/v2/tickets/$id/comments?include_inline_images=true")->{comments}[-1]{attachments}[0]{file_name}, 'a.png', 'a file of a comment';
my $mine = upload(zendesk => '/api/v2/uploads?filename=b.txt', { 'Content-Type' => 'text/plain' }, 'some text')->{upload};
try(zendesk => PUT => "/api/v2/tickets/$id", { ticket => { comment => { body => 'with it', uploads => [ $mine->{token} ] } } });
my $shown = try(zendesk => GET => "/api/v2/attachments/$mine->{attachment}{id}")->{attachment};
is content(zendesk => $shown->{content_url}), 'some text', 'its content, elsewhere';
is $ua->put("$base{zendesk}/api/v2/tickets/$id" => $auth{zendesk} => json => { ticket => { comment => { body => 'again', uploads => [ $mine->{token} ] } } })->res->code, 422, 'a token is good once';
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
my ($said) = @{ try(clickup => GET => "/api/v2/task/$task->{id}/comment")->{comments} };
try(clickup => GET => "/api/v2/task/$task->{id}/comment?start=$said->{date}&start_id=$said->{id}");
try(clickup => PUT => "/api/v2/comment/$said->{id}", { comment_text => 'd', assignee => 183, resolved => false });
try(clickup => POST => "/api/v2/comment/$said->{id}/reply", { comment_text => 'r', notify_all => false });
is try(clickup => GET => "/api/v2/comment/$said->{id}/reply")->{comments}[0]{comment_text}, 'r', 'a reply';
try(clickup => DELETE => "/api/v2/comment/$said->{id}");
is_deeply try(clickup => GET => "/api/v2/task/$task->{id}/comment")->{comments}, [], 'a deleted comment';
$simulator->post('touch', { workspace => 'dev', id => $task->{id}, text => 'see', files => [ { id => 'f.txt', title => 'a.txt' } ], time => [ { id => 5, user => 183, time => 60000 } ] });
is try(clickup => GET => "/api/v2/task/$task->{id}")->{attachments}[0]{title}, 'a.txt', 'a file of a task';
upload(clickup => "/api/v2/task/$task->{id}/attachment", {}, form => { attachment => { content => 'some text', filename => "b\x{e9}.txt", 'Content-Type' => 'text/plain' } });
my $attached = try(clickup => GET => "/api/v2/task/$task->{id}")->{attachments}[1];
is $attached->{title}, "b\x{e9}.txt", 'and one that was sent';
is $ua->get($attached->{url})->res->body, 'some text', 'its content';
is try(clickup => GET => "/api/v2/task/$task->{id}/time")->{data}[0]{intervals}[0]{time}, '60000', 'and its time';
my $file = $ua->post("$base{clickup}/api/v2/task/$task->{id}/attachment", $auth{clickup}, form => { attachment => { content => 'a small file', filename => 'b.txt' } })->res->json;
is_deeply [ $documents->check_reply(clickup => POST => "/api/v2/task/$task->{id}/attachment", 200, $file) ], [], 'an uploaded file';
is_deeply [ map { [ @$_{qw(id title size)} ] } (try(clickup => GET => "/api/v2/task/$task->{id}")->{attachments}[-1]) ], [ [ $file->{id}, 'b.txt', 12 ] ], 'that the task has';
try(clickup => GET => "/api/v2/list/$list/member");
try(clickup => DELETE => "/api/v2/task/$task->{id}/field/$text->{id}");
try(clickup => DELETE => "/api/v2/task/$task->{id}");

# HaloPSA
try(halopsa => GET => "/api/$_") for qw(Projects?pageinate=true&page_no=1&page_size=100&order=id&orderdesc=false&lastupdatefromdate=2020-01-01T00:00:00&includeclosed=true&domain=prjs
  Tickets?pageinate=true&page_no=1&page_size=100&order=id&orderdesc=false&lastupdatefromdate=2020-01-01T00:00:00&includeclosed=true
  Opportunities?count=5 Tickets/1003?includedetails=true Opportunities/1007?includedetails=true Client?pageinate=true&page_no=1&page_size=10 Client/2 Site?client_id=2 Site/19 Users?site_id=19 Users/38
  Actions?ticket_id=1003&excludesys=true&includehtmlnote=true&count=100000 Status?type=ticket Status/1 Priority TicketType TicketType/3?includedetails=true Team Agent?includedisabled=true Agent/3 FieldInfo?includevalues=true FieldInfo/206 Lookup?lookupid=1206 Outcome?showhidden=true);
my $halo = try(
	halopsa => POST => '/api/Tickets',
	[ { summary => 'S', details => 'text', tickettype_id => 1, client_id => 2, site_id => 19, status_id => 1, priority_id => 4, agent_id => 3, team => '2nd Line', category_1 => 'Hardware>Laptop',
			tags => [ { text => 'a' } ], customfields => [ { id => 206, value => 34 } ], third_party_id_string => 'x', donotapplytemplateintheapi => true } ]);
try(halopsa => POST => '/api/Tickets?returnall=true', [ { id => $halo->{id}, status_id => 9 }, { id => 1003, summary => 'T' } ]);
try(halopsa => POST => '/api/Opportunities', [ { summary => 'L', tickettype_id => 40, oppcontactname => 'A B', oppcompanyname => 'C', oppemailaddress => 'a@c.example', oppjobtitle => 'CTO', opptel => '+1', oppcountry => 'UK', oppvalue => 0 } ]);
my $action = try(halopsa => POST => '/api/Actions', [ { ticket_id => $halo->{id}, outcome_id => 7, note_html => '<p>x</p>', hiddenfromuser => true, sendemail => false } ])->{id};
try(halopsa => POST => '/api/Actions', [ { id => $action, ticket_id => $halo->{id}, note_html => '<p>y</p>' } ]);
is try(halopsa => GET => "/api/Actions/$action?ticket_id=$halo->{id}")->{note}, 'y', 'an edited action';
try(halopsa => DELETE => "/api/Actions/$action?ticket_id=$halo->{id}");
is_deeply try(halopsa => GET => "/api/Actions?ticket_id=$halo->{id}&excludesys=true")->{actions}, [], 'a deleted action';
$simulator->post('touch', { vendor => 'halopsa', account => 'acme', id => $halo->{id}, text => 'see', files => [ { id => 70, filename => 'a.txt' } ], hours => 0.25 });
is try(halopsa => GET => "/api/Actions?ticket_id=$halo->{id}&excludesys=true")->{actions}[0]{attachment_count}, 1, 'an action with a file';
is try(halopsa => GET => "/api/Attachment?ticket_id=$halo->{id}")->{attachments}[0]{filename}, 'a.txt', 'which is listed';
my ($act) = @{ try(halopsa => GET => "/api/Actions?ticket_id=$halo->{id}&excludesys=true")->{actions} };
my $sent = try(halopsa => POST => '/api/Attachment', [ { filename => 'b.txt', ticket_id => $halo->{id}, action_id => $act->{id}, showforusers => false, data_base64 => b64_encode('some text', '') } ])->{id};
is $ua->get("$base{halopsa}/api/Attachment/$sent" => $auth{halopsa})->res->body, 'some text', 'the content of a file that was sent';
try(halopsa => POST => '/api/Client', [ { name => 'N', domain => 'n.example' } ]);
try(halopsa => POST => '/api/Users', [ { name => 'A B', emailaddress => 'a@n.example', site_id => 19 } ]);
try(halopsa => DELETE => "/api/Tickets/$halo->{id}?reason=double");

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
	[ 'no such operation', halopsa => GET => '/api/Leads', '', undef ],
	[ 'query parameter modified_since is not known', halopsa => GET => '/halopsa/acme/api/Tickets', 'modified_since=1', undef ],
	[ 'body is an object, not array', halopsa => POST => '/api/Tickets', '', '{"summary":"x"}' ],
	[ 'body[0].title is not known', halopsa => POST => '/api/Opportunities', '', '[{"title":"x"}]' ],
	[ 'body[0].status_id is a string', halopsa => POST => '/api/Tickets', '', '[{"status_id":"9"}]' ],
	[ 'not one of the values', zendesk => PUT => '/zendesk/acme/api/v2/tickets/1', '', '{"ticket":{"priority":"huge"}}' ],
	[ 'body.ticket.subject is an integer', zendesk => POST => '/api/v2/tickets', '', '{"ticket":{"comment":{"body":"x"},"subject":5}}' ]);
for my $bad (@bad)
{
	my ($expected, @request) = @$bad;
	like join("\n", $documents->check_request(@request)), qr/\Q$expected/, $expected;
}

done_testing;
