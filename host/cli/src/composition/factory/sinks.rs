//! Sinks of a job, and the formats that they write.

use arrow_schema::SchemaRef;
use wasmill_connector::blackhole::BlackholeSink;
use wasmill_connector::bucket::{BucketSinkConfig, bucket_sink};
use wasmill_connector::columnar::{self, ColumnarOut, ParquetOut};
use wasmill_connector::csv::CsvOut;
use wasmill_connector::file::{self, FileFormat, FilePath, FileSinkConfig, file_sink};
use wasmill_connector::json::JsonOut;
use wasmill_connector::sql::sql_sink;
use wasmill_connector::stdio::stdout_sink;
use wasmill_connector::{ConnectorError, FormatOut, Sink, Visibility};
use wasmill_flow::TaskIndex;
use wasmill_job::graph::{self, Existing, SinkConnector};

use super::tables::table_sink;
use super::{compressed, not_of_columns};

/// The writer of a task's rows of a sink.
pub(super) fn open(
    connector: &SinkConnector,
    [job, sink]: [&str; 2],
    schema: &SchemaRef,
    task: TaskIndex,
    visibility: Visibility,
) -> Result<Box<dyn Sink>, ConnectorError> {
    match connector {
        SinkConnector::File { written, path, is_folder, existing, format, compression } => {
            let config = FileSinkConfig {
                file: FilePath { written: written.clone(), path: path.clone() },
                existing: existing_out(*existing),
                format: format_out(*format),
                compressed: compressed(*compression),
                visibility,
                parts: is_folder.then_some(task),
            };
            file_sink(config, schema)
        }
        SinkConnector::Bucket { url, existing, format, compression } => {
            let config = BucketSinkConfig {
                url: url.clone(),
                existing: existing_out(*existing),
                format: format_out(*format),
                compressed: compressed(*compression),
                visibility,
                task,
            };
            bucket_sink(config, schema)
        }
        SinkConnector::Stdio { format } => match format_out(*format) {
            FileFormat::Rows(rows) => stdout_sink(schema, rows, visibility),
            FileFormat::Columns(_) => Err(not_of_columns("standard output")),
        },
        SinkConnector::Table(table) => sql_sink(table_sink(table, [job, sink], visibility), schema),
        SinkConnector::Blackhole => Ok(Box::new(BlackholeSink::new())),
    }
}

fn existing_out(existing: Existing) -> file::Existing {
    match existing {
        Existing::Replace => file::Existing::Replace,
        Existing::Append => file::Existing::Append,
        Existing::Refuse => file::Existing::Refuse,
    }
}

fn columnar_out(format: graph::ColumnarOut) -> ColumnarOut {
    match format {
        graph::ColumnarOut::Parquet { compression, row_group_rows } => ColumnarOut::Parquet(ParquetOut {
            compression: match compression {
                graph::ParquetCompression::Zstd => columnar::Compression::Zstd,
                graph::ParquetCompression::Snappy => columnar::Compression::Snappy,
                graph::ParquetCompression::Lz4 => columnar::Compression::Lz4,
                graph::ParquetCompression::Gzip => columnar::Compression::Gzip,
                graph::ParquetCompression::None => columnar::Compression::None,
            },
            row_group_rows: row_group_rows.unwrap_or(ParquetOut::ROW_GROUP_ROWS),
        }),
        graph::ColumnarOut::Arrow => ColumnarOut::Arrow,
    }
}

fn format_out(format: graph::FormatOut) -> FileFormat {
    match format {
        graph::FormatOut::Json(json) => JsonOut { timestamps_as_millis: json.timestamps_as_millis }.into(),
        graph::FormatOut::Csv(csv) => FormatOut::Csv(CsvOut {
            header: csv.header,
            delimiter: csv.delimiter,
            timestamps_as_millis: csv.timestamps_as_millis,
        })
        .into(),
        graph::FormatOut::Columnar(format) => FileFormat::Columns(columnar_out(format)),
    }
}
