package DocumentedSql;

# The SQL that a page of the documentation shows, in its order.
#
#	for my $block (blocks($text)) { ... $block->{line}, $block->{sql}, $block->{errors} ... }
#	for my $statement (statements($text)) { ... $statement->{line}, $statement->{sql} ... }
#
# A block is fenced, or indented by four columns or more.  It is one of
#
#	SQL		as it stands; lines of a shell before it are left out
#	psql	with prompts ("=> ", "demo=# "): what stands behind them; the other
#			lines are what psql prints, of which only errors count
#	neither	drawings, tables, formulas, commands of a shell
#
# A statement that the page shows to fail is expected to fail with that error.
#
# Statements are those that tables have between backticks and that begin with
# SELECT or CALL.

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(blocks statements);

my $PROMPT = qr/^(?:\w*=[>#]|(?:\w*-[>#])) ?/;
my $SHELL = qr/^(?:\$ |#|make\b|apt-get |install |psql )/;
my $SQL = qr/^(?:--|\\copy\b|[A-Z][A-Z]+\b(?!\S*:))/;

# Each block as {line, sql, error}: the number of its first line, what psql is
# to run, and the message of the error with which it ends ('': none); sql is ''
# where it is no SQL, and text then has its lines.
sub blocks
{
	my ($text) = @_;
	my @found;

	foreach my $block (_cut($text))
	{
		my @lines = @{ $block->{lines} };

		if (grep { /$PROMPT/ } @lines)
		{
			push @found, map { { line => $block->{line}, %$_ } } _after_prompts(@lines);
			next;
		}
		@lines = grep { !/$SHELL/ } @lines if $block->{language} ne 'sql';
		shift @lines while @lines && $lines[0] =~ /^\s*$/;
		my $is_sql = $block->{language} eq 'sql' || @lines && $lines[0] =~ /$SQL/;
		push @found, { line => $block->{line}, error => '', sql => $is_sql ? join("\n", _without_output(@lines), '') : '', text => join "\n", @lines };
	}
	return @found;
}

# Each statement of a table as {line, sql}, without the semicolon at its end.
sub statements
{
	my ($text) = @_;
	my (@found, $number);

	foreach my $line (split /\n/, $text)
	{
		$number++;
		next if $line !~ /^\|/;
		push @found, { line => $number, sql => $1 =~ s/;\s*$//r } while $line =~ /`((?:SELECT|CALL) [^`]+)`/g;
	}
	return @found;
}

# Blocks of lines, with their indentation taken off.
sub _cut
{
	my ($text) = @_;
	my (@blocks, $fence, $block);
	my $number = 0;

	foreach my $line (split /\n/, $text)
	{
		$number++;
		if ($line =~ /^```(\w*)/)
		{
			push @blocks, $block if defined $fence;
			$fence = defined $fence ? undef : $1;
			$block = { line => $number + 1, language => $fence, lines => [] } if defined $fence;
			undef $block if !defined $fence;
		}
		elsif (defined $fence)
		{
			push @{ $block->{lines} }, $line;
		}
		elsif ($line =~ /^ {4,}(\S.*)/ || ($block && $line =~ /^\s*$/))
		{
			$block //= { line => $number, language => '', lines => [], indent => length($line) - length($1) };
			push @{ $block->{lines} }, $line =~ s/^ {0,$block->{indent}}//r;
		}
		elsif ($block)
		{
			push @blocks, $block;
			undef $block;
		}
	}
	push @blocks, $block if $block;
	return @blocks;
}

# What stands behind prompts, a block for each error, which ends it.
sub _after_prompts
{
	my (@lines) = @_;
	my @runs = ({ sql => '', error => '' });

	foreach my $line (@lines)
	{
		if ($line =~ /^ERROR:\s+(.*)/)
		{
			$runs[-1]{error} = $1;
			push @runs, { sql => '', error => '' };
		}
		elsif ($line =~ s/$PROMPT//)
		{
			$runs[-1]{sql} .= "$line\n";
		}
	}
	return grep { $_->{sql} ne '' } @runs;
}

# Without what psql prints after a statement: from a heading with its rule on to
# the next empty line.
sub _without_output
{
	my (@lines) = @_;
	my @kept;

	for (my $i = 0; $i < @lines; $i++)
	{
		if ($i < $#lines && $lines[ $i + 1 ] =~ /^\s*-+(?:\+-+)*$/)
		{
			$i++ while $i < $#lines && $lines[ $i + 1 ] !~ /^\s*$/;
			next;
		}
		push @kept, $lines[$i];
	}
	return @kept;
}

1;
