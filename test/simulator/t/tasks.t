# ClickUp: the hierarchy, listings, writing of tasks.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Mojo::JSON qw(false true);
use Simulator::Process;
use Test::Mojo;
use Test::More;

my $simulator = Simulator::Process->start('--tasks', 0, '--clickup-plan', 'none');
my $t = Test::Mojo->new;
my $base = $simulator->clickup . '/api/v2';
my $dev = { Authorization => 'pk_183_DEV' };
my $lists = $simulator->get('info')->{clickup}{dev}{lists};
my $bugs = "$base/list/$lists->{Bugs}/task";
my $get = sub ($path) { $t->get_ok("$base/$path" => $dev)->status_is(200); return $t->tx->res->json };
my $create = sub ($task, $url = $bugs) { $t->post_ok($url => $dev => json => $task) };
my $created = sub { return $t->status_is(200)->tx->res->json };

# hierarchy
my ($engineering) = grep { $_->{name} eq 'Engineering' } @{ $get->('team/9001001/space?archived=false')->{spaces} };
my $folder = $get->("space/$engineering->{id}/folder")->{folders}[0];
is $folder->{name}, 'Product', 'a folder';
is_deeply [ map { $_->{name} } @{ $get->("folder/$folder->{id}/list")->{lists} } ], [ 'Bugs', 'Requests' ], 'its lists';
my ($operations) = grep { $_->{name} eq 'Operations' } @{ $get->('team/9001001/space')->{spaces} };
is_deeply [ map { $_->{name} } @{ $get->("space/$operations->{id}/list")->{lists} } ], ['Inbox'], 'a folderless list; the one not shared is hidden';
my @bugs = map { $_->{status} } @{ $get->("list/$lists->{Bugs}")->{statuses} };
is_deeply \@bugs, [ 'to do', 'in progress', 'in review', 'complete' ], 'statuses';
my %field = map { $_->{type} => $_ } @{ $get->("list/$lists->{Bugs}/field")->{fields} };
is_deeply [ sort keys %field ], [qw(checkbox date drop_down labels number text)], 'field types';

# create
my $task = $create->({ name => 'Fix', description => 'text', status => 'To Do', priority => 3, assignees => [183], tags => ['ZCSync'], due_date => 1508369194377, time_estimate => 3600000,
	custom_fields => [ { id => $field{text}{id}, value => 'x' } ] })->$created;
like $task->{id}, qr/^[0-9a-z]{9}$/, 'an id';
is_deeply [ @{ $task->{status} }{qw(status type)} ], [ 'to do', 'open' ], 'status';
is_deeply [ @{ $task->{priority} }{qw(id priority)} ], [ '3', 'normal' ], 'priority is an object';
like $t->tx->res->body, qr/"due_date":"1508369194377"/, 'a due date is a string';
is $task->{tags}[0]{name}, 'zcsync', 'tags are lower case';
ok !exists((grep { $_->{type} eq 'number' } @{ $task->{custom_fields} })[0]{value}), 'an unset field has no value';
$create->({ description => 'x' })->status_is(400)->json_is('/ECODE', 'INPUT_005');
$create->({ name => 'x', status => 'none such' })->status_is(400)->json_is({ err => 'Status not found', ECODE => 'CRTSK_001' });
$create->({ name => 'x', priority => 'high' })->status_is(400);
$create->({ name => 'x', due_date => 'tomorrow' })->status_is(400);
$create->({ name => 'x', custom_fields => [ { id => '0a52c486-5f05-403b-b4fd-c512ff05131c', value => 1 } ] })->status_is(400)->json_is('/ECODE', 'FIELD_115');
$create->({ name => 'x' }, "$base/list/abc/task")->status_is(400)->json_is('/ECODE', 'INPUT_003');
$create->({ name => 'x' }, "$base/list/1/task")->status_is(404)->json_is('/ECODE', 'ITEM_015');
$create->({ name => 'x' }, "$base/list/$lists->{Management}/task")->status_is(401)->json_is('/ECODE', 'OAUTH_027');
my $other = $create->({ name => 'Other list' }, "$base/list/$lists->{Requests}/task")->$created;
is $other->{status}{status}, 'Open', 'the first status of its list';
$create->({ name => 'x', parent => $other->{id} })->status_is(400)->json_is('/ECODE', 'ITEM_137');
$t->post_ok($bugs => { %$dev, 'Content-Encoding' => 'gzip', 'Content-Type' => 'application/json' } => "\x1f\x8b")->status_is(400, 'no gzip for ClickUp');

# update
my $put = sub ($body, $id = $task->{id}) { $t->put_ok("$base/task/$id" => $dev => json => $body) };
$put->({ status => 'complete' })->status_is(200)->json_is('/status/type', 'closed')->json_like('/date_closed', qr/^\d{13}$/);
$put->({ status => 'in review' })->status_is(200)->json_is('/date_closed', undef);
$put->({ status => 'nope' })->status_is(400)->json_is({ err => 'Status does not exist', ECODE => 'ITEM_114' });
$put->({ description => '' })->json_is('/description', 'text', 'an empty description changes nothing');
$put->({ description => ' ' })->json_is('/description', '', 'one space clears it');
$put->({ due_date => undef, priority => undef, assignees => { add => [184], rem => [183] } })->json_is('/due_date', undef)->json_is('/priority', undef)->json_is('/assignees/0/id', 184)->json_hasnt('/assignees/1');
my $updated = $t->tx->res->json('/date_updated');
$put->({ custom_fields => [ { id => $field{text}{id}, value => 'y' } ], tags => ['no'] })->status_is(200)->json_is('/date_updated', $updated, 'fields and tags do nothing here');

# custom fields
my $value = sub ($type) { return (grep { $_->{type} eq $type } @{ $get->("task/$task->{id}")->{custom_fields} })[0]{value} };
my $set = sub ($type, $value) { $t->post_ok("$base/task/$task->{id}/field/$field{$type}{id}" => $dev => json => { value => $value }) };
my $options = $field{drop_down}{type_config}{options};
$set->(drop_down => $options->[2]{id})->status_is(200)->content_is('{}');
is $value->('drop_down'), 2, 'a drop-down reads as an index';
$set->(drop_down => 1)->status_is(200);
is $value->('drop_down'), 1, 'and may be set by it';
$set->(drop_down => 'Triage')->status_is(400)->json_is('/ECODE', 'FIELD_011');
$set->(number => 'many')->status_is(400);
$set->(date => 'tomorrow')->status_is(500)->json_is('/ECODE', 'FIELD_017');
$set->(labels => [ $field{labels}{type_config}{options}[0]{id} ])->status_is(200);
$set->(checkbox => true)->status_is(200);
$set->(number => 4.5)->status_is(200);
is_deeply [ map { $value->($_) } qw(checkbox number labels) ], [ 'true', '4.5', [ $field{labels}{type_config}{options}[0]{id} ] ], 'values';
$t->delete_ok("$base/task/$task->{id}/field/$field{number}{id}" => $dev)->status_is(200);
is $value->('number'), undef, 'cleared';
$t->post_ok("$base/task/$task->{id}/field/xyz" => $dev => json => { value => 1 })->status_is(400)->json_is('/ECODE', 'FIELD_002');

# tags and comments
$t->post_ok("$base/task/$task->{id}/tag/needs%20info" => $dev => json => {})->status_is(200)->content_is('{}');
$t->delete_ok("$base/task/$task->{id}/tag/zcsync" => $dev)->status_is(200);
is_deeply [ map { $_->{name} } @{ $get->("task/$task->{id}")->{tags} } ], ['needs info'], 'tags';
$t->post_ok("$base/task/$task->{id}/comment" => $dev => json => { comment_text => "Comment $_", notify_all => false })->status_is(200)->json_has('/hist_id') for 1 .. 30;
my $comments = $get->("task/$task->{id}/comment")->{comments};
is_deeply [ scalar @$comments, $comments->[0]{comment_text} ], [ 25, 'Comment 30' ], 'newest first, 25 a page';
$comments = $get->("task/$task->{id}/comment?start=$comments->[24]{date}&start_id=$comments->[24]{id}")->{comments};
is_deeply [ scalar @$comments, $comments->[0]{comment_text} ], [ 5, 'Comment 5' ], 'then the rest';

# listings
$create->({ name => "Task $_" })->$created for 1 .. 120;
my $child = $create->({ name => 'Child', parent => $task->{id} })->$created;
my $closed = $create->({ name => 'Closed', status => 'complete' })->$created;
my $list = sub ($query) { return $get->("list/$lists->{Bugs}/task?$query") };
my $page = $list->('page=0');
is_deeply [ scalar @{ $page->{tasks} }, $page->{last_page}, $page->{tasks}[0]{name} ], [ 100, false, 'Task 120' ], 'the first page, newest first';
$page = $list->('page=1');
is_deeply [ scalar @{ $page->{tasks} }, $page->{last_page} ], [ 21, true ], 'the last, without closed and subtasks';
is scalar @{ $list->('page=2')->{tasks} }, 0, 'beyond it nothing';
is scalar @{ $list->('page=1&include_closed=true&subtasks=true&unknown=1')->{tasks} }, 23, 'with them; an unknown parameter is ignored';
$put->({ name => 'Task one changed' }, $page->{tasks}[19]{id})->status_is(200);
$page = $list->("order_by=updated&reverse=true&include_closed=true&subtasks=true&date_updated_gt=$closed->{date_updated}");
is_deeply [ map { $_->{name} } @{ $page->{tasks} } ], ['Task one changed'], 'changes since';
my @times = map { $_->{date_updated} } @{ $list->('order_by=updated&reverse=true')->{tasks} };
is_deeply \@times, [ sort { $a <=> $b } @times ], 'oldest change first';
is scalar @{ $get->("task/$task->{id}?include_subtasks=true&include_markdown_description=true")->{subtasks} }, 1, 'subtasks of a task';
$page = $get->("team/9001001/task?list_ids[]=$lists->{Requests}&list_ids[]=$lists->{Inbox}");
is_deeply [ map { $_->{name} } @{ $page->{tasks} } ], ['Other list'], 'by lists over the workspace';
is scalar @{ $get->('team/9001001/task?page=1')->{tasks} }, 22, 'all lists together';
is scalar @{ $list->('statuses[]=in+review')->{tasks} }, 1, 'by status';

# deletion, agents' changes
$t->delete_ok("$base/task/$task->{id}" => $dev)->status_is(204);
$t->get_ok("$base/task/$task->{id}" => $dev)->status_is(404)->json_is({ err => 'Task not found, deleted', ECODE => 'ITEM_013' });
$t->get_ok("$base/task/$child->{id}" => $dev)->status_is(404, 'its subtask went too');
$t->get_ok("$base/task/abcdefghi" => $dev)->status_is(404);
$t->get_ok("$base/task/NO!" => $dev)->status_is(400)->json_is('/ECODE', 'INPUT_004');
$simulator->post('edit', { workspace => 'dev', id => $closed->{id}, fields => { name => 'By hand', priority => 1, status => 'in progress' } });
is $get->("task/$closed->{id}")->{priority}{priority}, 'urgent', 'edited by an agent';
$simulator->post('rename_status', { workspace => 'dev', list => 'Bugs', status => 'in progress', to => 'doing' });
is $get->("task/$closed->{id}")->{status}{status}, 'doing', 'a renamed status';
$simulator->post('remove_status', { workspace => 'dev', list => 'Bugs', status => 'doing', move_to => 'in review' });
is $get->("task/$closed->{id}")->{status}{status}, 'in review', 'a removed one';
my $made = $simulator->post('add_list', { workspace => 'dev', name => 'Fresh', folder => 'Product' });
$create->({ name => 'In a fresh list' }, "$base/list/$made->{id}/task")->status_is(200);

done_testing;
