package Simulator::Seed;

# Made-up data, the same for the same seed number: people, texts, tickets and
# tasks.  Only times differ from run to run, being counted back from now.

use Mojo::Base -base, -signatures;
use utf8;
use POSIX ();

has 'state';

my $DAYS = 400;    # how far back the records go

my @FIRST = qw(Anna Ben Carla Deniz Elif Farid Grace Hiro Ines Jonas Kavya Liam Mia Noor Omar Priya Quentin
  Rosa Samir Tara Uma Viktor Wen Ximena Yusuf Zoë Søren Łukasz Çağla André);
my @LAST = qw(Abbott Berg Costa Dubois Eriksen Fischer Garcia Hansen Ito Jansen Khan Lopez Moreau Novak
  O'Neill Petrov Quinn Rossi Schmidt Tanaka Ueda Varga Weber Xu Yılmaz Zhang Müller Østergård Nuñez Kowalski);
my @COMPANIES = ('Northwind Traders', 'Contoso', 'Fabrikam', 'Globex', 'Initech', 'Umbrella Logistics',
	'Stark Foods', 'Wayne Printing', 'Acme Rentals', 'Hooli', 'Soylent Catering', 'Tyrell Optics');

# Subjects and the sentences that may follow, by topic.
my %TOPICS = (
	printer => {
		subjects => [
			'Printer on floor %d does not print', 'Printer jam again, tray %d',
			'Printer prints blank pages', 'Toner low warning will not go away'
		],
		sentences => [
			'The printer shows error E-%d and stops after the first page.',
			'We have already turned it off and on again.',
			'Paper is loaded and the tray is closed properly.',
			'Jobs stay in the queue until somebody cancels them by hand.',
			'It worked until the driver was updated last week.'
		],
	},
	vpn => {
		subjects => [ 'VPN drops every %d minutes', 'VPN login fails from home', 'Cannot reach the intranet over VPN' ],
		sentences => [
			'The VPN client says "handshake failed (%d)" and gives up.',
			'From the office network everything is fine.',
			'Two colleagues with the same laptop have the same problem.',
			'Switching to the other gateway helps for a while.',
			'My internet connection itself is stable.'
		],
	},
	password => {
		subjects =>
		  [ 'Password reset mail never arrives', 'Account locked after password change', 'Password expired on holiday' ],
		sentences => [
			'I asked for a reset link %d times and got no e-mail.',
			'The spam folder is empty as well.',
			'The form says that the password does not meet the policy, but not which part.',
			'Please unlock the account so that I can work.',
			'Two-factor codes are accepted, the password is not.'
		],
	},
	invoice => {
		subjects => [ 'Invoice %d has the wrong address', 'Invoice %d was paid twice', 'Missing invoice for March' ],
		sentences => [
			'Invoice number %d does not match the order.',
			'Our accounting department needs a corrected copy before the end of the month.',
			'The VAT id on the second page is the old one.',
			'The amount was debited on Monday and again on Tuesday.',
			'Please send the document as PDF, not as a link.'
		],
	},
	crash => {
		subjects => [ 'App crashes when opening report %d', 'Blank screen after update', 'Export fails with error %d' ],
		sentences => [
			'Steps: open the report, choose the last quarter, press export.',
			'Expected a file, got "unexpected error %d".',
			'It happens in Firefox and in Chrome.',
			'The log shows a null pointer in ReportWriter.flush().',
			'Smaller reports work, so it may be a matter of size.',
			'This blocks the closing of the month for the whole team.'
		],
	},
	access => {
		subjects => [ 'No access to shared folder', 'New colleague needs an account', 'Permission denied on project %d' ],
		sentences => [
			'My manager approved the access on ticket %d.',
			'The folder is visible but opening it gives "access denied".',
			'The same rights as my predecessor would be enough.',
			'The start date is next Monday.'
		],
	},);
my @TOPICS = sort keys %TOPICS;

# Other scripts and things that break naive code.
my @FOREIGN = (
	'Drucker im Büro geht nicht – bitte prüfen 🙏', '印刷できません。至急対応をお願いします。', '打印机无法工作，显示错误代码',
	'프린터가 작동하지 않습니다', 'הדפסת לא עובדת מאז הבוקר', 'لا يمكن تسجيل الدخول إلى النظام',
	'Не приходит письмо для сброса пароля', 'Việc xuất báo cáo bị lỗi', "Cafe\x{301} re\x{301}sume\x{301} not found",
	'👩‍👩‍👧‍👦 family plan billing 🎉', "Zero\x{200b}width and non\x{a0}breaking", 'ΔΕΝ ΛΕΙΤΟΥΡΓΕΙ Η ΕΚΤΥΠΩΣΗ');
my @HTMLISH = (
	'<p>Hello <b>support</b>,<br>see the <a href="https://example.com/?a=1&amp;b=2">screenshot</a>.</p>',
	'<script>alert("x")</script> appeared in the comment field, is that on purpose?',
	'The cell shows &lt;NULL&gt; & "quotes" and a back\\slash.', "Tabs\tand\r\nWindows line ends.");
my @TAGS = qw(printer vpn billing vip onboarding hardware mobile api export login urgent_customer emea apac follow_up);

sub new ($class, $seed = 1)
{
	my $self = $class->SUPER::new(state => ($seed * 2654435761 + 97) & 0xFFFFFFFF || 1);
	$self->_next for 1 .. 8;
	return $self;
}

# xorshift32
sub _next ($self)
{
	my $x = $self->{state};

	$x ^= ($x << 13) & 0xFFFFFFFF;
	$x ^= $x >> 17;
	$x ^= ($x << 5) & 0xFFFFFFFF;
	return $self->{state} = $x;
}

sub below ($self, $n) { return $self->_next % $n }

sub chance ($self, $percent) { return $self->_next % 100 < $percent }

sub pick ($self, @list) { return $list[ $self->_next % @list ] }

# A uuid made of the generator's numbers.
sub uuid ($self)
{
	my $hex = join '', map { sprintf '%08x', $self->_next } 1 .. 4;
	substr($hex, 12, 1) = '4';
	substr($hex, 16, 1) = '8';
	return join '-', unpack 'A8 A4 A4 A4 A12', $hex;
}

sub person ($self)
{
	return $self->pick(@FIRST) . ' ' . $self->pick(@LAST);
}

# (subject, description)
sub text ($self)
{
	my $topic = $TOPICS{ $self->pick(@TOPICS) };
	my $subject = $self->pick(@{ $topic->{subjects} });
	my $length = $self->chance(10) ? 20 + $self->below(40) : 1 + $self->below(8);
	my @sentences = map { $self->pick(@{ $topic->{sentences} }) } 1 .. $length;

	$subject = $self->pick(@FOREIGN) if $self->chance(12);
	splice @sentences, $self->below($length), 0, $self->pick(@FOREIGN) if $self->chance(15);
	splice @sentences, $self->below($length), 0, $self->pick(@HTMLISH) if $self->chance(8);
	my $text = '';
	for my $sentence (@sentences)
	{
		$text .= ($self->chance(20) ? "\n\n" : ' ') if $text ne '';
		$text .= $sentence;
	}
	s/%d/$self->below(900) + 1/ge for $subject, $text;
	return ($subject, $text);
}

# Fill a Zendesk account with agents, requesters and $count tickets.
sub zendesk ($self, $account, $count, $nasty = 0)
{
	my $now = int $account->clock->now;

	return if !$count;
	$account->user_export->in_bulk(sub { $self->_requesters($account, $count, $now) });
	$account->export->in_bulk(sub { $self->_tickets($account, $count, $now) });
	$self->_nasty($account, $now) if $nasty;
}

sub _tickets ($self, $account, $count, $now)
{
	my $bugs = 0;

	for my $i (1 .. $count)
	{
		my $bug = int($i * 2 / 5) > $bugs;
		$bugs++ if $bug;
		# The newest are minutes old, so that none is still held back.
		my $created = $now - 600 - int(($DAYS * 86400 - 600) * ($count - $i + 1) / $count);
		$account->insert($self->_ticket($account, $i, $created, $now, $bug));
	}
}

# A tenth as many as tickets, but ten at least.
sub _requesters ($self, $account, $count, $now)
{
	my $pool = int($count / 10) || 1;

	$self->{requesters} = [];
	for my $i (1 .. ($pool < 10 ? 10 : $pool))
	{
		my $name = $self->person;
		push @{ $self->{requesters} }, $account->add_user(
			name => $name,
			email => "customer$i\@" . lc($self->pick(@COMPANIES) =~ s/\W+//gr) . '.example',
			role => 'end-user',
			organization_id => $self->chance(80) ? $self->pick(@{ $account->organizations })->{id} : undef,
			time => $now - $DAYS * 86400 + $self->below($DAYS * 86400 - 600))->{id};
	}
}

sub _ticket ($self, $account, $id, $created, $now, $bug)
{
	my ($subject, $description) = $self->text;
	my $requesters = $self->{requesters};
	my $requester = $requesters->[ $self->below(scalar @$requesters) ];
	my $roll = $self->below(100);
	my $status =
	    $roll < 10 ? 'new'
	  : $roll < 35 ? 'open'
	  : $roll < 50 ? 'pending'
	  : $roll < 58 ? 'hold'
	  : $roll < 80 ? 'solved'
	  : $roll < 98 ? 'closed'
	  :              'deleted';
	my $assignee = $status eq 'new' || $self->chance(15) ? undef : $self->pick(@{ $account->agent_ids });
	my $updated = $created + $self->below(($now - 300 - $created) / ($self->chance(70) ? 20 : 1) + 1);
	my %tags = map { $_ => 1 } map { $self->pick(@TAGS) } 1 .. $self->below(4);

	$tags{bug} = 1 if $bug;
	return (
		id => $id,
		created_at => $created,
		updated_at => $updated,
		generated_timestamp => $self->chance(5) ? $updated + $self->below($now - 240 - $updated) : $updated,
		subject => $subject,
		description => $description,
		status => $status,
		type => $self->pick('incident', 'question', 'problem', 'task', undef),
		priority => $self->pick(qw(low normal normal high urgent), undef),
		requester_id => $requester,
		submitter_id => $requester,
		assignee_id => $assignee,
		group_id => defined $assignee || $self->chance(50) ? $self->pick(@{ $account->groups })->{id} : undef,
		organization_id => $account->users->{$requester}{organization_id},
		external_id => $self->chance(5) ? "erp:$id" : undef,
		tags => [ sort keys %tags ],
		values => $self->_values($account->custom_fields, $now),
		status_variant => $self->chance(25));
}

# Values for the custom fields, some left unset.
sub _values ($self, $fields, $now)
{
	my %values;

	for my $field (@$fields)
	{
		next if $self->chance(40);
		my $type = $field->{type};
		my @options = map { $_->{value} } @{ $field->{custom_field_options} // [] };
		$values{ $field->{id} } =
		    $type eq 'tagger'      ? $self->pick(@options)
		  : $type eq 'multiselect' ? [ grep { $self->chance(50) } @options ]
		  : $type eq 'integer'     ? $self->below(500)
		  : $type eq 'decimal'     ? sprintf('%d.%02d', $self->below(2000), $self->below(100))
		  : $type eq 'checkbox'    ? ($self->chance(50) ? \1 : \0)
		  : $type eq 'date'        ? POSIX::strftime('%Y-%m-%d', gmtime($now + ($self->below(60) - 30) * 86400))
		  : $type eq 'regexp'      ? sprintf('AT-%05d', $self->below(100000))
		  : $type eq 'textarea'    ? join("\n", map { "$_. " . ($self->text)[0] } 1 .. 3)
		  :                          sprintf('ORD-%06d', $self->below(1000000));
	}
	return \%values;
}

# Records that a robust client must survive: see README.md.
sub _nasty ($self, $account, $now)
{
	my $word = 0;
	my @nasty = (
		[ "Subject with a NUL \0 inside", 'An escaped U+0000 came in by an import.' ],
		[ 'One megabyte of distinct words', join ' ', map { sprintf 'word%06x', $word++ } 1 .. 95000 ],
		[ "Lone surrogate " . $account->surrogate . " in the subject", 'Broken emoji ' . $account->surrogate . '.' ],
		[ 'Ten thousand characters of tags', 'See the tags.', [ map { sprintf 'tag_%04d_x', $_ } 1 .. 910 ] ],);

	my ($customer) = sort { $a <=> $b } grep { $account->users->{$_}{role} eq 'end-user' } keys %{ $account->users };

	for my $nasty (@nasty)
	{
		$account->insert(
			id => $account->next_ticket_id,
			created_at => $now - 500,
			updated_at => $now - 400,
			generated_timestamp => $now - 400,
			subject => $nasty->[0],
			description => $nasty->[1],
			status => 'open',
			requester_id => $account->agent_ids->[0],
			submitter_id => 0 + ($customer // $account->agent_ids->[0]),
			tags => $nasty->[2] // ['nasty'],
			values => {});
	}
}

# Fill a ClickUp workspace with $count tasks.
sub clickup ($self, $workspace, $count)
{
	my $now = $workspace->clock->ms;
	my @lists = sort { $a->{n} <=> $b->{n} } values %{ $workspace->lists };

	for my $i (1 .. $count)
	{
		my ($name, $text) = $self->text;
		my $list = $lists[ $i % @lists ];
		my $created = $now - 600_000 - int(($DAYS * 86_400_000 - 600_000) * ($count - $i + 1) / $count);
		$workspace->insert(
			list => $list,
			created => $created,
			updated => $created + $self->below(3_000_000),
			name => $name,
			description => $text,
			status => $self->pick(@{ $list->{statuses} }),
			priority => $self->pick(1, 2, 3, 4, undef),
			assignees => [ $self->chance(60) ? $self->pick(@{ $workspace->member_ids }) : () ],
			tags => [ $self->chance(30) ? 'internal' : () ]);
	}
}

1;
