//! The declarations everything on the wire is written in: [`layout!`](crate::layout) for fields in order,
//! [`open_enum!`](crate::open_enum) for numbers with names, [`coded_table!`](crate::coded_table) for PDUs by code.

/// A struct whose fields stand on the wire in the order they are written, shown by their types or, behind `as`, by a
/// [`View`](crate::codec::show::View); a field `parameters` is all that there is to say. Gives it [`Field`](crate::codec::Field) (parser, emitter, and what line, tree and JSON are made from) and a one-line `Display`.
#[macro_export]
#[doc(hidden)]
macro_rules! layout {
    ($(#[$meta:meta])* $vis:vis struct $name:ident $(<$life:lifetime>)? { $($field:ident : $type:ty $(as $view:ty)?),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // the fields are the parameters of the specification, by its names
        $vis struct $name $(<$life>)? { $(pub $field: $type),* }
        $crate::layout!(@field $name [$($life)?] { $($field : $type),* });
        impl $(<$life>)? std::fmt::Display for $name $(<$life>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::codec::show::display(f, |to| $crate::codec::Field::show(self, to))
            }
        }
        impl $(<$life>)? $name $(<$life>)? {
            /// What it is made of, without the beginning and end of a structure.
            #[allow(dead_code)] // used where a table shows it
            pub(crate) fn show_fields(&self, _to: &mut dyn $crate::codec::show::Show) {
                $(
                    $crate::layout!(@name _to, $field);
                    $crate::layout!(@show self.$field, _to $(, $view)?);
                )*
            }
        }
    };
    (@name $to:ident, parameters) => { $to.body("parameters") };
    (@name $to:ident, $field:ident) => { $to.field(stringify!($field)) };
    (@show $value:expr, $to:ident) => { $crate::codec::Field::show(&$value, $to) };
    (@show $value:expr, $to:ident, $view:ty) => { <$view as $crate::codec::show::View<_>>::show($value, $to) };
    (@field $name:ident [] { $($body:tt)* }) => { $crate::layout!(@impl ['octets] $name, { $($body)* }); };
    (@field $name:ident [$life:lifetime] { $($body:tt)* }) => { $crate::layout!(@impl [$life] $name<$life>, { $($body)* }); };
    (@impl [$life:lifetime] $self:ty, { $($field:ident : $type:ty),* }) => {
        impl<$life> $crate::codec::Field<$life> for $self {
            #[inline]
            fn parse(input: &$life [u8]) -> $crate::codec::Parsed<$life, Self> {
                $(let (input, $field) = <$type as $crate::codec::Field>::parse(input)?;)*
                Ok((input, Self { $($field),* }))
            }
            fn emit(&self, _out: &mut bytes::BytesMut) {
                $($crate::codec::Field::emit(&self.$field, _out);)*
            }
            fn show(&self, to: &mut dyn $crate::codec::show::Show) {
                to.begin();
                self.show_fields(to);
                to.end();
            }
            fn walk(
                _name: &'static str,
                input: &$life [u8],
                _to: &mut dyn $crate::codec::Walk<$life>,
            ) -> Option<&$life [u8]> {
                $(let input = <$type as $crate::codec::Field>::walk(stringify!($field), input, _to)?;)*
                Some(input)
            }
        }
    };
}

/// Gives a newtype around an integer its place on the wire: sent as the integer, shown by the function behind it.
#[macro_export]
#[doc(hidden)]
macro_rules! number_field {
    ($name:ident($int:ty) is $sort:ident, $show:expr) => {
        impl<'a> $crate::codec::Field<'a> for $name {
            const SORT: $crate::codec::Sort = $crate::codec::Sort::$sort;
            #[inline]
            fn parse(input: &'a [u8]) -> $crate::codec::Parsed<'a, Self> {
                <$int as $crate::codec::Field>::parse(input).map(|(rest, n)| (rest, Self(n)))
            }
            fn emit(&self, out: &mut bytes::BytesMut) {
                $crate::codec::Field::emit(&self.0, out);
            }
            fn show(&self, to: &mut dyn $crate::codec::show::Show) {
                let show: fn(Self, &mut dyn $crate::codec::show::Show) = $show;
                show(*self, to);
            }
        }
    };
    ($name:ident($int:ty), $show:expr) => { $crate::number_field!($name($int) is Number, $show); };
}

/// A number of the protocol of which some values have names. Every value is valid: what is not named is
/// carried and printed as its number, since a newer specification may name it.
#[macro_export]
#[doc(hidden)]
macro_rules! open_enum {
    ($(#[$meta:meta])* $vis:vis struct $name:ident($int:ty) {
        $($(#[$vmeta:meta])* $variant:ident = $value:literal $text:literal),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name(pub $int);

        #[allow(non_upper_case_globals)] // named as the specification names its values
        impl $name {
            $($(#[$vmeta])* #[doc = $text] pub const $variant: Self = Self($value);)*

            /// The name of the value, where it has one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($value => Some($text),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "0x{:0width$X}", self.0, width = 2 * size_of::<$int>()),
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl $crate::codec::show::View<$int> for $name {
            fn show(value: $int, to: &mut dyn $crate::codec::show::Show) {
                to.labelled(value.into(), None, Self(value).name());
            }
        }

        $crate::number_field!($name($int), |it, to| to.named(it.0.into(), size_of::<$int>(), it.name()));
    };
}

/// A table of packets or PDUs told apart by one octet: rows of the form `code "name" Struct<'a> { fields };`
/// under the enum that holds them. `whole` refuses octets behind the layout, `front` ignores them; a function behind
/// that knows names of codes that have no row.
#[macro_export]
#[doc(hidden)]
macro_rules! coded_table {
    ($(#[$emeta:meta])* pub enum $enum:ident, $extent:ident $(, $others:path)?;
        $($(#[$meta:meta])* $code:literal $text:literal $name:ident $(<$life:lifetime>)?
            { $($field:ident : $type:ty $(as $view:ty)?),* } ;)*
    ) => {
        $(
            $crate::layout! {
                $(#[$meta])*
                pub struct $name $(<$life>)? { $($field: $type $(as $view)?),* }
            }
            impl<'a> From<$name $(<$life>)?> for $enum<'a> {
                fn from(event: $name $(<$life>)?) -> Self { Self::$name(event) }
            }
        )*

        $(#[$emeta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $enum<'a> {
            $($(#[$meta])* $name($name $(<$life>)?),)*
            /// One that is not in the table.
            Unknown {
                /// Its code.
                code: u8,
                /// Its parameters as they stand.
                parameters: &'a [u8],
            },
        }

        impl<'a> $enum<'a> {
            /// Every code of the table, ascending.
            pub const CODES: &'static [u8] = &[$($code),*];

            /// The name that goes with a code.
            pub const fn name_of(code: u8) -> Option<&'static str> {
                match code { $($code => Some($text),)* _ => None }
            }

            /// Reads the parameters that stand behind a code.
            ///
            /// # Errors
            /// When the parameters do not follow the layout.
            #[inline]
            pub fn parse(code: u8, parameters: &'a [u8]) -> Result<Self, $crate::codec::ParseError> {
                match code {
                    $($code => $crate::codec::$extent($text, parameters).map(Self::$name),)*
                    _ => Ok(Self::Unknown { code, parameters }),
                }
            }

            /// Gives the parameters that stand behind a code to `to`, field by field, as far as they follow the
            /// layout; of a code that is not in the table nothing.
            pub fn walk(code: u8, parameters: &'a [u8], to: &mut dyn $crate::codec::Walk<'a>) {
                match code {
                    $($code => { <$name as $crate::codec::Field>::walk($text, parameters, to); })*
                    _ => {}
                }
            }

            /// Its code.
            pub fn code(&self) -> u8 {
                match self {
                    $(Self::$name(_) => $code,)*
                    Self::Unknown { code, .. } => *code,
                }
            }

            /// Appends its parameters, without the code.
            pub fn emit_parameters(&self, out: &mut bytes::BytesMut) {
                match self {
                    $(Self::$name(event) => $crate::codec::Field::emit(event, out),)*
                    Self::Unknown { parameters, .. } => out.extend_from_slice(parameters),
                }
            }
        }

        impl $enum<'_> {
            /// Says what it is made of: its code, its name, its fields.
            pub fn show(&self, to: &mut dyn $crate::codec::show::Show) {
                match self {
                    $(Self::$name(event) => {
                        to.begin_named(stringify!($enum), $code, 1, Some($text));
                        event.show_fields(to);
                    })*
                    Self::Unknown { code, parameters } => {
                        let name: Option<&str> = None;
                        $(let name = name.or_else(|| $others(*code));)?
                        to.begin_named(stringify!($enum), (*code).into(), 1, name);
                        to.body("parameters");
                        to.octets(parameters);
                    }
                }
                to.end();
            }
        }

        impl std::fmt::Display for $enum<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::codec::show::display(f, |to| self.show(to))
            }
        }
    };
}
